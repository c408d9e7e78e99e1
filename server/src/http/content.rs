//! A request's content, taken out of its framing: by its length or in chunks, RFC 9112 §6 and §7.1.

use super::rejection::Rejection;
use super::request::Framing;
use super::request_line::is_token_byte;
use crate::seeded::bug;

/// Where in a request's content the next byte belongs.
#[derive(Clone, Debug)]
pub struct ContentDecoder {
    state: State,
    /// Bytes that extensions and trailers may still have.
    overhead_bytes_left: usize,
}

/// What is next in the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// These bytes of it.
    Data(&'a [u8]),
    /// Nothing, before more arrives.
    Incomplete,
    /// Its end.
    End,
}

/// The grammar of RFC 9112 §7.1 as places between two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In content with this many bytes left.
    Length(u64),
    /// In a chunk's data with this many bytes left.
    Data(u64),
    /// Behind a chunk's data, before CR.
    DataEnd,
    /// There, between CR and LF.
    DataEndLineFeed,
    /// Before the first digit of a size.
    Size,
    /// Behind a digit of a size.
    SizeDigits(u64),
    /// In the extensions of a chunk of this size.
    Extension(u64, Extension),
    /// Between CR and LF of a chunk-size line.
    SizeLineFeed(u64),
    /// At the start of a trailer line.
    Trailer,
    /// In a trailer's name.
    TrailerName,
    /// In a trailer's value.
    TrailerValue,
    /// Between CR and LF of a trailer line.
    TrailerLineFeed,
    /// Between CR and LF of the empty line at the end.
    LastLineFeed,
    /// Behind it all.
    End,
}

/// RFC 9112 §7.1.1: `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    /// In white space that a `;` must end.
    BeforeSemicolon,
    /// Behind `;`, before the name.
    BeforeName,
    /// In the name.
    Name,
    /// In white space behind the name: `=` or `;` must follow.
    AfterName,
    /// Behind `=`, before the value.
    BeforeValue,
    /// In a value that is a token.
    Token,
    /// In a value that is a quoted string.
    Quoted,
    /// There, behind a backslash.
    Escaped,
    /// Behind its closing quote.
    AfterQuoted,
}

impl ContentDecoder {
    /// At the start of content that is framed so.
    pub fn new(framing: Framing, overhead_bytes_max: usize) -> ContentDecoder {
        ContentDecoder {
            state: match framing {
                Framing::Length(0) => State::End,
                Framing::Length(length) => State::Length(length),
                Framing::Chunked => State::Size,
            },
            overhead_bytes_left: overhead_bytes_max,
        }
    }

    /// Bytes of content that are still to come, where that is known.
    pub fn length_left(&self) -> Option<u64> {
        match self.state {
            State::Length(length) => Some(length),
            State::End => Some(0),
            _ => None,
        }
    }

    /// Takes the next piece from the start of `input`. Framing is consumed on the way; behind the
    /// end nothing is.
    ///
    /// # Errors
    /// Every deviation from the grammar, at its first byte.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Piece<'a>, Rejection> {
        loop {
            match self.state {
                State::End => return Ok(Piece::End),
                _ if input.is_empty() => return Ok(Piece::Incomplete),
                State::Length(left) | State::Data(left) => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let (data, rest) = input.split_at(take);
                    *input = rest;
                    self.state = match (self.state, left - take as u64) {
                        (State::Length(_), 0) => State::End,
                        (State::Length(_), left) => State::Length(left),
                        (_, 0) => State::DataEnd,
                        (_, left) => State::Data(left),
                    };
                    return Ok(Piece::Data(data));
                }
                state => {
                    let (byte, rest) = (input[0], &input[1..]);
                    self.state = step(state, byte)?;
                    *input = rest;
                    self.count_overhead(state)?;
                }
            }
        }
    }

    /// RFC 9112 §7.1.1: the total length of extensions is limited; trailers likewise.
    fn count_overhead(&mut self, state: State) -> Result<(), Rejection> {
        let overhead = match state {
            // Leading zeros make a size as long as its sender likes.
            State::SizeDigits(size) => size == 0,
            State::Extension(..) => true,
            State::Trailer | State::TrailerName | State::TrailerValue | State::TrailerLineFeed => true,
            _ => false,
        };
        if overhead {
            self.overhead_bytes_left =
                self.overhead_bytes_left.checked_sub(1).ok_or(Rejection::ChunkOverhead)?;
        }
        Ok(())
    }
}

/// The place behind `byte`.
fn step(state: State, byte: u8) -> Result<State, Rejection> {
    match state {
        State::DataEnd if byte == b'\r' => Ok(State::DataEndLineFeed),
        State::DataEndLineFeed if byte == b'\n' => Ok(State::Size),
        State::DataEnd | State::DataEndLineFeed => Err(Rejection::ChunkEnd),
        State::Size if byte == b'+' && bug("chunk_size_has_a_sign") => Ok(State::SizeDigits(0)),
        State::Size => hexadecimal_digit(byte).map(State::SizeDigits).ok_or(Rejection::ChunkSize),
        State::SizeDigits(size) => match (byte, hexadecimal_digit(byte)) {
            (_, Some(digit)) if size >> 60 == 0 || bug("chunk_size_overflows") => {
                Ok(State::SizeDigits(size << 4 | digit))
            }
            (b'\r', _) => Ok(State::SizeLineFeed(size)),
            (b';', _) => Ok(State::Extension(size, Extension::BeforeName)),
            (b' ' | b'\t', _) => Ok(State::Extension(size, Extension::BeforeSemicolon)),
            _ => Err(Rejection::ChunkSize),
        },
        State::Extension(size, extension) => {
            extension_step(size, extension, byte).ok_or(Rejection::ChunkExtension)
        }
        State::SizeLineFeed(size) => match (byte, size) {
            (b'\n', 0) => Ok(State::Trailer),
            (b'\n', size) => Ok(State::Data(size)),
            _ => Err(Rejection::ChunkSize),
        },
        State::Trailer if byte == b'\r' => Ok(State::LastLineFeed),
        State::Trailer | State::TrailerName if is_token_byte(byte) => Ok(State::TrailerName),
        State::TrailerName if byte == b':' => Ok(State::TrailerValue),
        State::TrailerValue if byte == b'\r' => Ok(State::TrailerLineFeed),
        State::TrailerValue if is_field_byte(byte) => Ok(State::TrailerValue),
        State::TrailerLineFeed if byte == b'\n' => Ok(State::Trailer),
        State::LastLineFeed if byte == b'\n' => Ok(State::End),
        _ => Err(Rejection::Trailer),
    }
}

fn extension_step(size: u64, extension: Extension, byte: u8) -> Option<State> {
    use Extension::{
        AfterName, AfterQuoted, BeforeName, BeforeSemicolon, BeforeValue, Escaped, Name, Quoted, Token,
    };
    let next = match (extension, byte) {
        (Name | Token | AfterQuoted, b'\r') => return Some(State::SizeLineFeed(size)),
        (BeforeSemicolon | Name | AfterName | Token | AfterQuoted, b';') => BeforeName,
        (BeforeSemicolon | BeforeName | AfterName | BeforeValue, b' ' | b'\t') => extension,
        (Name, b' ' | b'\t') => AfterName,
        (Token | AfterQuoted, b' ' | b'\t') => BeforeSemicolon,
        (BeforeName | Name, _) if is_token_byte(byte) => Name,
        (Name | AfterName, b'=') => BeforeValue,
        (BeforeValue, b'"') => Quoted,
        (BeforeValue | Token, _) if is_token_byte(byte) => Token,
        (Quoted, b'"') => AfterQuoted,
        (Quoted, b'\\') => Escaped,
        (Quoted | Escaped, _) if is_field_byte(byte) => Quoted,
        _ => return None,
    };
    Some(State::Extension(size, next))
}

/// What may stand in a field value or a quoted string: a tab, a space, visible ASCII and `obs-text`
/// (RFC 9110 §5.5, §5.6.4).
fn is_field_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

fn hexadecimal_digit(byte: u8) -> Option<u64> {
    (byte as char).to_digit(16).map(u64::from)
}

#[cfg(test)]
#[path = "content_tests.rs"]
mod tests;

//! Answers read from the wire, strictly: what a careful client would make of the bytes.

use std::collections::BTreeMap;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireAnswer {
    /// The status code.
    pub status: u16,
    /// The fields, names in lower case, in order of their names.
    pub fields: BTreeMap<String, String>,
    /// The content.
    pub content: Vec<u8>,
}

impl WireAnswer {
    /// The value of a field; empty where it is absent.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// Takes the first answer from `bytes`, and says how many bytes it has; nothing where it is not
/// complete. `head_only`: it answers a `HEAD`, and has no content whatever its length says.
///
/// # Errors
/// What a strict reader would refuse, in words.
pub fn read_answer(bytes: &[u8], head_only: bool) -> Result<Option<(WireAnswer, usize)>, String> {
    let Some(head_length) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (status, fields) = read_head(&bytes[..head_length + 4])?;
    let answer = WireAnswer { status, fields, content: Vec::new() };
    let without_content = status < 200 || status == 204 || status == 304;
    let length = match (answer.field("content-length"), without_content) {
        ("", true) => 0,
        (_, true) => return Err(format!("a length with status {status}")),
        (length, false) => length.parse::<usize>().map_err(|_| format!("content length {length:?}"))?,
    };
    if status >= 200 && answer.field("date").len() != 29 {
        return Err(format!("date {:?}", answer.field("date")));
    }
    let start = head_length + 4;
    let end = if head_only { start } else { start + length };
    Ok(bytes.get(start..end).map(|content| (WireAnswer { content: content.to_vec(), ..answer }, end)))
}

/// The status and the fields of a head, its empty line included; names in lower case.
///
/// # Errors
/// What a strict reader would refuse, in words: RFC 9112 §4 and §5, as a careful sender writes them.
pub fn read_head(head: &[u8]) -> Result<(u16, BTreeMap<String, String>), String> {
    let text = std::str::from_utf8(head).map_err(|_| "the head is not UTF-8")?;
    let mut lines = text.strip_suffix("\r\n\r\n").ok_or("no empty line")?.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = read_status_line(status_line).ok_or(format!("status line {status_line:?}"))?;
    let mut fields = BTreeMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or(format!("field line {line:?}"))?;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let strict = !name.is_empty() && name.bytes().all(token) && value.trim() == value;
        if !strict || line.contains(|character: char| character.is_control()) {
            return Err(format!("field line {line:?}"));
        }
        let (name, mut value) = (name.to_ascii_lowercase(), value.to_owned());
        // RFC 9110 §11.6.1: a line for each challenge, which some read better than a list.
        if name == "www-authenticate"
            && let Some(before) = fields.remove(&name)
        {
            value = format!("{before}, {value}");
        }
        if fields.insert(name.clone(), value).is_some() {
            return Err(format!("{name} stands there twice"));
        }
    }
    Ok((status, fields))
}

fn read_status_line(line: &str) -> Option<u16> {
    let (code, reason) = line.strip_prefix("HTTP/1.1 ")?.split_once(' ')?;
    let valid =
        code.len() == 3 && !reason.is_empty() && reason.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    code.parse().ok().filter(|status| valid && (100..600).contains(status))
}

/// All answers in `bytes`, which nothing may follow; `head_only` says of each final one whether it
/// answers a `HEAD`. Interim answers are left out.
///
/// # Errors
/// As [`read_answer`]; and for bytes behind the last whole answer.
pub fn read_answers(mut bytes: &[u8], head_only: &[bool]) -> Result<Vec<WireAnswer>, String> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let head_only = head_only.get(answers.len()).copied().unwrap_or(false);
        let (answer, length) = read_answer(bytes, head_only)?.ok_or("an answer is cut short")?;
        bytes = &bytes[length..];
        if answer.status >= 200 {
            answers.push(answer);
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_careful_senders_are_read() {
        let (status, fields) = read_head(b"HTTP/1.1 404 Not Found\r\nA: b c\r\nX-Y: \r\n\r\n").unwrap();
        assert_eq!(status, 404);
        assert_eq!(fields.get("a").map(String::as_str), Some("b c"));
        assert_eq!(fields.get("x-y").map(String::as_str), Some(""));
    }

    #[test]
    fn each_carelessness_is_seen() {
        for head in [
            "HTTP/1.0 200 OK\r\n\r\n",
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/1.1 200 \r\n\r\n",
            "HTTP/1.1 0200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "HTTP/1.1 600 OK\r\n\r\n",
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "HTTP/1.1 200 O\tK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
            "HTTP/1.1 200 OK\r\na:  b\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b \r\n\r\n",
            "HTTP/1.1 200 OK\r\na:b\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\tc\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\r\nA: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\r\n",
        ] {
            assert!(read_head(head.as_bytes()).is_err(), "{head:?}");
        }
    }
}

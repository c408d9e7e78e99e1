//! The way out of a session: its output, and the file behind it.

use std::io;
use std::ops::ControlFlow::{Break, Continue};
use std::ops::Range;

use super::{AfterFile, Common, Duty, Next, Session, Step};
use crate::connection::OUTPUT_BYTES_BATCH;
use crate::driver::network::Network;
use crate::driver::pool::{PIECE_BYTES_MAX, Task};
use crate::driver::slots::Token;
use crate::pace::Pace;
use crate::seeded::bug;
use crate::store::Held;
use crate::store::directory::Directory;
use crate::store::operation::{StoreError, StoreErrorKind};

/// A range up to this long is read behind its head and sent with it in one call: cheaper than
/// sendfile up to here, and several answers can share one send.
const COPY_BYTES_MAX: u64 = PIECE_BYTES_MAX as u64;
/// What one sendfile is asked to send, one in a turn: fair, and cheaper than sending until there
/// is no room.
const SLICE_BYTES: u64 = 256 * 1024;

impl<S, D: Directory> Session<S, D> {
    pub(super) fn file_duty(range: Range<u64>) -> Duty {
        if range.end.saturating_sub(range.start) <= COPY_BYTES_MAX {
            return Duty::CopyFile(range);
        }
        Duty::SendFile { range, warm: false }
    }

    /// Sends what was left over. While anything is, nothing more is made and nothing received.
    pub(super) fn send_unsent<N>(&mut self, token: Token, common: &mut Common<N, D>) -> Step
    where
        N: Network<D, Socket = S>,
    {
        if self.unsent.is_empty() && !common.network.layer(&self.socket).owes {
            return Continue(());
        }
        match common.network.send(&mut self.socket, &self.unsent[self.unsent_from..], false) {
            Ok(count) => {
                common.count(|figures| figures.sent.add(count as u64));
                self.unsent_from += if bug("short_send_is_repeated") { count.div_ceil(2) } else { count };
                self.keep_pace(count, common);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Break(Next::Close),
        }
        if self.unsent_from < self.unsent.len() || common.network.layer(&self.socket).owes {
            return self.await_room(token, common);
        }
        self.unsent = Vec::new();
        self.unsent_from = 0;
        self.pace = None;
        Continue(())
    }

    /// Sends the output that was gathered; what there is no room for becomes the session's own.
    pub(super) fn send_output<N>(&mut self, token: Token, common: &mut Common<N, D>, more: bool) -> Step
    where
        N: Network<D, Socket = S>,
    {
        let bytes = &common.output.bytes;
        if bytes.is_empty() {
            // Of a handshake, or of what was sent before, there may be a rest.
            if more || !common.network.layer(&self.socket).owes {
                return Continue(());
            }
            self.keep_pace(0, common);
            return self.await_room(token, common);
        }
        let count = match common.network.send(&mut self.socket, bytes, more) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return Break(Next::Close),
        };
        common.count(|figures| figures.sent.add(count as u64));
        if count == bytes.len() && (more || !common.network.layer(&self.socket).owes) {
            common.output.bytes.clear();
            return Continue(());
        }
        if !bug("rest_of_a_short_send_is_lost") {
            self.unsent.extend_from_slice(&bytes[count..]);
        }
        common.output.bytes.clear();
        self.keep_pace(count, common);
        self.await_room(token, common)
    }

    /// Puts bytes of the file behind the output, those that are in memory at once.
    pub(super) fn copy_file<N>(
        &mut self,
        token: Token,
        mut range: Range<u64>,
        common: &mut Common<N, D>,
    ) -> Step
    where
        N: Network<D, Socket = S>,
    {
        if common.output.bytes.len() >= OUTPUT_BYTES_BATCH {
            // Of many parts no more is gathered than of many answers.
            self.duty = Duty::CopyFile(range.clone());
            self.send_output(token, common, false)?;
        }
        while range.start < range.end {
            let Held::File(file) = &self.held else { return Break(Next::Close) };
            let (begin, length) = (common.output.bytes.len(), range.end - range.start);
            common.output.bytes.resize(begin + length as usize, 0);
            let result = common.store.read_cached(file, &mut common.output.bytes[begin..], range.start);
            common.output.bytes.truncate(begin + result.as_ref().map_or(0, |&count| count));
            match result {
                Ok(0) => return self.cut_off(None, common),
                Ok(count) => range.start += count as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.duty = Duty::CopyFile(range.clone());
                    self.send_output(token, common, false)?;
                    self.duty = Duty::AwaitFile { range: range.clone(), then: AfterFile::Copy };
                    return self.hand_over(token, Task::Read(range), common);
                }
                Err(error) => return self.cut_off(Some(("preadv2", error)), common),
            }
        }
        self.tell_sent(token, common)
    }

    /// A worker has read the beginning of the range.
    pub(super) fn take_piece<N>(
        &mut self,
        range: Range<u64>,
        bytes: &[u8],
        common: &mut Common<N, D>,
    ) -> Step {
        if bytes.is_empty() {
            return self.cut_off(None, common);
        }
        common.output.bytes.extend_from_slice(bytes);
        self.duty = Duty::CopyFile(range.start + bytes.len() as u64..range.end);
        Continue(())
    }

    /// Sends one slice of the file.
    pub(super) fn send_file<N>(
        &mut self,
        token: Token,
        range: Range<u64>,
        warm: bool,
        common: &mut Common<N, D>,
    ) -> Step
    where
        N: Network<D, Socket = S>,
    {
        let slice = range.start..range.end.min(range.start + SLICE_BYTES);
        if !warm {
            match self.is_cached(&slice, common) {
                Ok(true) => {}
                Ok(false) => {
                    self.send_output(token, common, false)?;
                    self.pace = None;
                    self.duty = Duty::AwaitFile { range, then: AfterFile::Send };
                    return self.hand_over(token, Task::Warm(slice), common);
                }
                Err(error) => return self.cut_off(Some(("preadv2", error)), common),
            }
        }
        self.send_output(token, common, true)?;
        let Held::File(file) = &self.held else { return Break(Next::Close) };
        let count = match common.network.send_file(&mut self.socket, file, slice.clone()) {
            Ok(0) => return self.cut_off(None, common),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return self.cut_off(Some(("sendfile", error)), common),
        };
        common.count(|figures| figures.sent.add(count as u64));
        self.keep_pace(count, common);
        let range = range.start + count as u64..range.end;
        if range.is_empty() {
            self.pace = None;
            return self.tell_sent(token, common);
        }
        let whole = range.start == slice.end;
        self.duty = Duty::SendFile { range, warm: false };
        if whole { Break(Next::Again) } else { self.await_room(token, common) }
    }

    /// Whether the slice can be sent without waiting for the disk, as far as its ends tell: the
    /// kernel reads ahead in order, and gives up again what it had not used for long.
    fn is_cached<N>(&self, slice: &Range<u64>, common: &Common<N, D>) -> io::Result<bool> {
        let Held::File(file) = &self.held else { return Err(io::Error::other("no file is held")) };
        for offset in [slice.start, slice.end - 1] {
            match common.store.read_cached(file, &mut [0], offset) {
                // Beyond its end there is nothing to wait for, and sendfile will find out.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Ends an answer that cannot be completed: its file could not be read, or has become shorter.
    /// The peer can tell by its length; the answers before it still arrive.
    pub(super) fn cut_off<N>(
        &mut self,
        error: Option<(&'static str, io::Error)>,
        common: &mut Common<N, D>,
    ) -> Step {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, TimedOut};
        if let Some((call, source)) = error {
            // sendfile fails for its socket's reasons, too, and those are the peer's affair.
            if matches!(source.kind(), BrokenPipe | ConnectionReset | TimedOut) {
                return Break(Next::Close);
            }
            let error = StoreError { kind: StoreErrorKind::InputOutput, call, source: Some(source) };
            common.log.failed(self.peer, &error, &common.now);
        }
        self.duty = Duty::Close { linger: true };
        Continue(())
    }

    fn await_room<N>(&mut self, token: Token, common: &mut Common<N, D>) -> Step
    where
        N: Network<D, Socket = S>,
    {
        self.blocked = true;
        match common.network.await_room(&self.socket, token) {
            Ok(()) => Break(Next::Wait),
            Err(_) => Break(Next::Close),
        }
    }

    /// The peer's time begins when it has to take more than one call sends, and is filled up by
    /// what it takes.
    fn keep_pace<N>(&mut self, count: usize, common: &Common<N, D>) {
        let (now, limits) = (common.now.instant, &common.limits);
        self.pace
            .get_or_insert_with(|| {
                Pace::new(now, limits.write_time_max, limits.transfer_bytes_per_second_min)
            })
            .moved(count as u64, now);
    }
}

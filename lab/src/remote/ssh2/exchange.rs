//! One command over one connection.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use ssh2::{BlockDirections, Channel};

use super::connection::Connection;
use super::pool::{Event, Job};
use crate::remote::call::Hearing;

/// How much is read or written at once, in bytes: what fits into a packet.
const PIECE: usize = 32 * 1024;

/// How often we look whether somebody still waits for the answer.
const TICK: Duration = Duration::from_millis(100);

/// How long a machine may take to close a channel.
const CLOSING_MAX: Duration = Duration::from_secs(1);

/// Sends a command and hears it out; what was heard, and whether the connection can be used again.
///
/// # Errors
/// If the connection breaks, or nobody waits any more.
pub(super) fn exchange(
    connection: &Connection,
    mut channel: Channel,
    job: Job,
) -> io::Result<(Hearing, bool)> {
    channel.exec(&job.guarded.line(job.deadline.left()))?;
    connection.at_once();
    let mut hearing = Hearing::new(job.guarded.mark());
    let mut feed = Feed::new(job.input);
    let mut buffer = vec![0; PIECE];
    // Both outputs are read, by turns: a machine that cannot get rid of one says nothing on the
    // other.
    while !hearing.ended() && !channel.eof() {
        let mut moved = feed.advance(connection, &mut channel);
        if !feed.stuck {
            if let Some(length) = some(channel.read(&mut buffer))? {
                moved = true;
                hearing.stdout(&buffer[..length], &mut |said| {
                    // That nobody listens is noticed below.
                    let _ = job.events.blocking_send(Event::Said(said.to_vec()));
                });
            }
            if let Some(length) = some(channel.stderr().read(&mut buffer))? {
                moved = true;
                hearing.stderr(&buffer[..length]);
            }
        }
        if job.events.is_closed() {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        // Reading one output may have fetched what is for the other; the socket knows nothing of
        // that any more.
        if !moved && channel.read_window().available == 0 && !channel.eof() {
            connection.wait(TICK)?;
        }
    }
    let closed = close(connection, &mut channel);
    Ok((hearing, closed))
}

/// How much came, if anything did.
fn some(read: io::Result<usize>) -> io::Result<Option<usize>> {
    match read {
        Ok(0) => Ok(None),
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the machine closed the channel in time.
fn close(connection: &Connection, channel: &mut Channel) -> bool {
    let until = Instant::now() + CLOSING_MAX;
    loop {
        match channel.close().map_err(io::Error::from) {
            Ok(()) => return true,
            Err(error) if error.kind() != ErrorKind::WouldBlock => return false,
            Err(_) if Instant::now() >= until || connection.wait(TICK).is_err() => return false,
            Err(_) => {}
        }
    }
}

/// What a command is given to read, piece by piece, then its end.
struct Feed {
    input: Box<dyn Read + Send>,
    piece: Vec<u8>,
    length: usize,
    sent: usize,
    drained: bool,
    done: bool,
    /// Part of a packet has been sent; libssh2 takes nothing else before the rest of it.
    stuck: bool,
}

impl Feed {
    fn new(input: Box<dyn Read + Send>) -> Self {
        let piece = vec![0; PIECE];
        Self { input, piece, length: 0, sent: 0, drained: false, done: false, stuck: false }
    }

    /// Sends what can be sent at once; whether anything could.
    fn advance(&mut self, connection: &Connection, channel: &mut Channel) -> bool {
        if self.done {
            return false;
        }
        if self.sent == self.length && !self.drained {
            let read = self.input.read(&mut self.piece);
            if read.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
                return false;
            }
            // Whoever must have all of it compares the length.
            self.length = read.unwrap_or(0);
            self.sent = 0;
            self.drained = self.length == 0;
        }
        let sent = match self.drained {
            true => channel.send_eof().map(|()| self.done = true).map_err(io::Error::from),
            false => channel.write(&self.piece[self.sent..self.length]).map(|it| self.sent += it),
        };
        let moved = match sent {
            Ok(()) => self.done || self.sent > 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            // The command does not read any more; if it is the connection, reading will tell.
            Err(_) => {
                self.done = true;
                false
            }
        };
        let outbound = [BlockDirections::Outbound, BlockDirections::Both];
        let directions = connection.session().block_directions();
        self.stuck = !moved && !self.done && outbound.contains(&directions);
        moved
    }
}

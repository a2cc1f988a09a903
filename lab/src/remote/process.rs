//! Carries a guarded command by a process of this machine: its `sh`, or the system's `ssh`.

use std::io::{ErrorKind, Read};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command as Process};
use tokio::time::{sleep, timeout};

use super::call::{Deadline, Hearing};

/// How much is read or written at once, in bytes.
const PIECE: usize = 32 * 1024;

/// How often we look whether an input that had nothing yet has something now.
const TICK: Duration = Duration::from_millis(100);

/// Why a process carried nothing to its end.
pub(crate) enum Problem {
    /// The process could not be started.
    Start(std::io::Error),
    /// The end did not come in time.
    Late,
}

/// Runs a process that carries a command to its machine. What it hears, up to the command's end or
/// its own.
pub(crate) async fn carry(
    process: &mut Process,
    mark: &str,
    input: Box<dyn Read + Send>,
    deadline: Deadline,
    sink: &mut (dyn for<'a> FnMut(&'a [u8]) + Send),
) -> Result<Hearing, Problem> {
    let mut child = process
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What is typed at the terminal is not for it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(Problem::Start)?;
    let mut hearing = Hearing::new(mark);
    let work = listen(&mut child, &mut hearing, input, sink);
    timeout(deadline.patience(), work).await.map_err(|_| Problem::Late)?;
    // The command has ended; a child of it that holds on to the outputs is not waited for.
    let _ = child.start_kill();
    let _ = child.wait().await;
    Ok(hearing)
}

async fn listen(
    child: &mut Child,
    hearing: &mut Hearing,
    input: Box<dyn Read + Send>,
    sink: &mut (dyn for<'a> FnMut(&'a [u8]) + Send),
) {
    let mut feed = std::pin::pin!(feed(child.stdin.take(), input));
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let (mut said, mut complaint) = (vec![0; PIECE], vec![0; PIECE]);
    let mut fed = false;
    while !hearing.ended() && (stdout.is_some() || stderr.is_some()) {
        tokio::select! {
            length = read(&mut stdout, &mut said) => hearing.stdout(&said[..length], &mut *sink),
            length = read(&mut stderr, &mut complaint) => hearing.stderr(&complaint[..length]),
            () = &mut feed, if !fed => fed = true,
        }
    }
}

/// Reads a piece; at the end of the stream it is let go of, and from then on nothing ever comes.
async fn read<S: AsyncRead + Unpin>(stream: &mut Option<S>, buffer: &mut [u8]) -> usize {
    let Some(open) = stream else { return std::future::pending().await };
    let length = open.read(buffer).await.unwrap_or(0);
    if length == 0 {
        *stream = None;
    }
    length
}

/// Writes the input, then its end. A command need not read what it is given.
async fn feed(stdin: Option<ChildStdin>, mut input: Box<dyn Read + Send>) {
    let Some(mut stdin) = stdin else { return };
    let mut piece = vec![0; PIECE];
    loop {
        match input.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(TICK).await,
            Err(_) | Ok(0) => return,
            Ok(length) if stdin.write_all(&piece[..length]).await.is_err() => return,
            Ok(_) => {}
        }
    }
}

//! Files to and from a machine, by commands of it.
//!
//! A file travels over standard input or output of `cat`, run as root where the user may become
//! so: no second protocol, and no copy that others could read on the way.

use std::fmt::Display;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;

use super::call::Input;
use super::guard::Elevation;
use super::{Command, Output, RemoteError};

/// A way to a machine, as far as ways differ from each other.
#[async_trait]
pub(crate) trait Carrier: Send + Sync {
    /// The machine's name.
    fn node(&self) -> &str;

    /// How commands become root.
    fn elevation(&self) -> Elevation;

    /// Runs a command with an input, hands on what it says.
    async fn carry(
        &self,
        command: &Command,
        input: Input<'_>,
        sink: &mut (dyn for<'a> FnMut(&'a [u8]) + Send),
    ) -> Result<Output, RemoteError>;
}

/// A connection that breaks looks like the end of the file: so its length is compared. Then nobody
/// hears the complaint either, which must not end the script before it has cleaned up.
const RECEIVE: &str = r#"set -e
umask 077
partial=$1.partial
trap '' PIPE
trap 'rm -f -- "$partial"' EXIT
cat >"$partial"
length=$(wc -c <"$partial")
if [ "$length" -ne "$2" ]; then
    echo "expected $2 bytes, found $length" >&2
    exit 1
fi
chmod "$3" "$partial"
mv -f -- "$partial" "$1""#;

/// How long a file of some bytes may take: never less than 1 MiB/s.
fn patience(length: u64) -> Duration {
    Duration::from_secs(30 + length / (1 << 20))
}

fn script(carrier: &dyn Carrier, text: &'static str, path: &str, length: u64) -> Command {
    let command = Command::script(text).argument(path).timeout(patience(length));
    match carrier.elevation() {
        Elevation::None => command,
        Elevation::Sudo | Elevation::Password => command.as_root(),
    }
}

fn problem(carrier: &dyn Carrier, path: &str, problem: &dyn Display) -> RemoteError {
    let (node, path) = (carrier.node().to_owned(), path.to_owned());
    RemoteError::File { node, path, problem: problem.to_string() }
}

/// What a command said, if it succeeded.
fn succeeded(carrier: &dyn Carrier, path: &str, output: &Output) -> Result<(), RemoteError> {
    match output.status {
        0 => Ok(()),
        _ => Err(problem(carrier, path, &String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// As [`Remote::upload`](super::Remote::upload).
pub(crate) async fn upload(
    carrier: &dyn Carrier,
    from: &Path,
    to: &str,
    mode: u32,
) -> Result<(), RemoteError> {
    let here = from.display().to_string();
    let file = File::open(from).map_err(|error| problem(carrier, &here, &error))?;
    let length = file.metadata().map_err(|error| problem(carrier, &here, &error))?.len();
    let command = script(carrier, RECEIVE, to, length);
    let command = command.argument(length.to_string()).argument(format!("{mode:o}"));
    let output = carrier.carry(&command, Input::File(file), &mut |_| {}).await?;
    succeeded(carrier, to, &output)
}

/// As [`Remote::download`](super::Remote::download). Of a file that grows meanwhile, what it had
/// at the beginning.
pub(crate) async fn download(
    carrier: &dyn Carrier,
    from: &str,
    to: &Path,
) -> Result<u64, RemoteError> {
    let mut said = Vec::new();
    let measure = script(carrier, r#"wc -c <"$1""#, from, 0);
    let mut hear = |bytes: &[u8]| said.extend_from_slice(bytes);
    let output = carrier.carry(&measure, Input::Bytes(&[]), &mut hear).await?;
    succeeded(carrier, from, &output)?;
    let said = String::from_utf8_lossy(&said);
    let length: u64 = said.trim().parse().map_err(|_| {
        problem(carrier, from, &format!("expected its length in bytes, found `{}`", said.trim()))
    })?;

    let here = to.display().to_string();
    let partial = format!("{here}.partial");
    let local = |error: std::io::Error| problem(carrier, &here, &error);
    let mut file = BufWriter::new(File::create(&partial).map_err(local)?);
    let (mut written, mut failed) = (0, None);
    let mut keep = |bytes: &[u8]| {
        written += bytes.len() as u64;
        failed = failed.take().or(file.write_all(bytes).err());
    };
    let send = script(carrier, r#"head -c "$2" -- "$1""#, from, length);
    let send = send.argument(length.to_string());
    let sent = carrier.carry(&send, Input::Bytes(&[]), &mut keep).await;
    let kept = failed.map_or(Ok(()), Err).and(file.flush()).map_err(local);
    let whole = sent.and_then(|output| succeeded(carrier, from, &output)).and(kept);
    let whole = whole.and_then(|()| match written == length {
        true => std::fs::rename(&partial, to).map_err(local),
        false => {
            let said = format!("expected {length} bytes, found {written}: it shrank meanwhile");
            Err(problem(carrier, from, &said))
        }
    });
    if whole.is_err() {
        // It is worth nothing, and the error above says more than one about it would.
        let _ = std::fs::remove_file(&partial);
    }
    whole.map(|()| length)
}

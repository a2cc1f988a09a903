//! Fetches the logs of all nodes into the run's folder.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use perjury_lab::MachineLab;
use perjury_lab::machines::{Footprint, Machine, layout};
use perjury_lab::remote::{Command, RemoteError};

use super::merge::{Fetched, merge};
use super::{MERGED_LOG, NodeLog};

/// Of each log; the end of a longer one is fetched.
const LOG_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Names the files that shell patterns stand for, one a line. `$1` is the limit in bytes, the rest
/// are patterns; a longer file is cut to its end first, in a file of ours.
const FIND: &str = r#"limit=$1 cut=$2
shift 2
mkdir -p "$cut"
for pattern in "$@"; do
    for file in $pattern; do
        [ -f "$file" ] || continue
        if [ "$(stat -c %s "$file")" -gt "$limit" ]; then
            tail -c "$limit" "$file" >"$cut/$(basename "$file")"
            file=$cut/$(basename "$file")
        fi
        echo "$file"
    done
done | sort -u"#;

/// Fetches what daemons and stores wrote, searches it and merges it. `started_ns` is when the run
/// began, since 1970. Also returns what could not be fetched: that costs no verdict.
pub async fn collect(
    lab: &MachineLab,
    footprint: &Footprint,
    started_ns: i128,
    folder: &Path,
) -> (Vec<NodeLog>, Vec<String>) {
    let mut problems = Vec::new();
    let mut fetched = Vec::new();
    let each = lab.machines().iter().map(|machine| fetch(machine, footprint, folder));
    for outcome in join_all(each).await {
        match outcome {
            Ok(logs) => fetched.extend(logs),
            Err(problem) => problems.push(format!("failed to fetch logs: {problem}")),
        }
    }
    if fetched.is_empty() {
        return (Vec::new(), problems);
    }
    match merge(&fetched, started_ns, &folder.join(MERGED_LOG)) {
        Ok(logs) => (logs, problems),
        Err(error) => {
            problems.push(format!("failed to merge logs: {error}"));
            (Vec::new(), problems)
        }
    }
}

async fn fetch(
    machine: &Machine,
    footprint: &Footprint,
    folder: &Path,
) -> Result<Vec<Fetched>, String> {
    let told = |error: RemoteError| error.to_string();
    let ahead_ns = clock_ahead_ns(machine).await.map_err(told)?;
    let cut = format!("{}/cut-logs", layout::RUN);
    let find = Command::script(FIND)
        .as_root()
        .arguments([LOG_BYTES_MAX.to_string(), cut, format!("{}/*.log", layout::LOG)])
        .arguments(footprint.logs.iter().cloned());
    let files = machine.run(&find).await.map_err(told)?;
    let to = folder.join("logs").join(machine.node().to_string());
    let cannot = |error: std::io::Error| format!("{}: {error}", to.display());
    std::fs::create_dir_all(&to).map_err(cannot)?;
    let mut logs = Vec::new();
    for file in files.lines() {
        let name = plain(file.rsplit('/').next().unwrap_or(file));
        let local = to.join(&name);
        machine.download(file, &local).await.map_err(told)?;
        let content = std::fs::read(&local).map_err(cannot)?;
        let path = format!("logs/{}/{name}", machine.node());
        logs.push(Fetched { node: machine.node(), name, path, content, ahead_ns });
    }
    Ok(logs)
}

/// A file's name without what a link or a file system might take for something else.
fn plain(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

/// By how much a machine's clock is ahead of this one's, to within half of a round trip.
async fn clock_ahead_ns(machine: &Machine) -> Result<i128, RemoteError> {
    let now_ns = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i128::try_from(since.as_nanos()).unwrap_or(i128::MAX)
    };
    let asked_ns = now_ns();
    let said = machine.run(&Command::new("date").argument("+%s%N")).await?;
    let answered_ns = now_ns();
    // A `date` without nanoseconds is none that we can compare with.
    let shown_ns = said.parse::<i128>().unwrap_or(asked_ns);
    Ok(shown_ns - i128::midpoint(asked_ns, answered_ns))
}

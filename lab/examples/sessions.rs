//! How long many SSH sessions at once take.
//!
//! ```console
//! $ cat settings.json
//! {"nodes": ["root@10.77.0.1", "root@10.77.0.2"], "identity": "key", "known-hosts": "hosts"}
//! $ cargo run --release -p perjury-lab --example sessions -- settings.json 50
//! ```
//!
//! Each session has a connection of its own, to the nodes by turns. All connect at once, then each
//! runs a hundred short commands.

use std::time::{Duration, Instant};

use futures::future::join_all;
use perjury_lab::remote::{Command, Remote, Ssh2Remote};
use perjury_lab::ssh::SshSettings;

const COMMANDS: u32 = 100;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(sessions)) = (arguments.next(), arguments.next()) else {
        return Err("expected a file of settings and a number of sessions".into());
    };
    let settings: SshSettings = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let sessions: usize = sessions.parse()?;
    if settings.nodes.is_empty() || sessions == 0 {
        return Err("expected at least one node and one session".into());
    }
    let remotes: Vec<_> = (0..sessions)
        .map(|index| {
            let endpoint = settings.endpoint(index % settings.nodes.len())?;
            Ok(Ssh2Remote::new(format!("session {}", index + 1), endpoint))
        })
        .collect::<Result<_, Failure>>()?;

    let began = Instant::now();
    let connected = timed(&remotes, 1).await?;
    tell(&format!("{sessions} sessions connected"), began.elapsed(), &connected);
    let began = Instant::now();
    let done = timed(&remotes, COMMANDS).await?;
    let all = COMMANDS * done.len() as u32;
    tell(&format!("{all} commands in {sessions} sessions"), began.elapsed(), &done);
    println!("{:.0} commands/s", f64::from(all) / began.elapsed().as_secs_f64());
    Ok(())
}

/// Runs some commands in each session, all sessions at once; how long each session took.
async fn timed(remotes: &[Ssh2Remote], commands: u32) -> Result<Vec<Duration>, Failure> {
    let command = &Command::new("true").timeout(Duration::from_secs(120));
    let sessions = remotes.iter().map(|remote| async move {
        let began = Instant::now();
        for _ in 0..commands {
            remote.run(command).await?;
        }
        Ok(began.elapsed())
    });
    join_all(sessions).await.into_iter().collect()
}

fn tell(what: &str, all: Duration, each: &[Duration]) {
    let mut sorted = each.to_vec();
    sorted.sort();
    let (median, slowest) = (sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
    println!("{what}: {all:.2?} in all; a session: median {median:.2?}, slowest {slowest:.2?}");
}

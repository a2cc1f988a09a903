//! What every way to a machine must do. All ways lead to this machine here, so that what they did
//! can be looked at from outside.

use std::path::Path;
use std::time::{Duration, Instant};

use perjury_lab::remote::{Command, Remote, RemoteError};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// All of it, one after the other.
pub(crate) async fn all(remote: &dyn Remote) {
    what_a_command_says_comes_back(remote).await;
    large_outputs_do_not_block_each_other(remote).await;
    a_large_input_arrives(remote).await;
    arguments_arrive_as_they_are(remote).await;
    variables_arrive_as_they_are(remote).await;
    an_end_by_signal_is_a_status(remote).await;
    what_is_not_there_is_missing(remote).await;
    a_nul_is_refused(remote).await;
    a_stream_is_handed_on_as_it_comes(remote).await;
    a_background_child_is_not_waited_for(remote).await;
    a_late_command_is_ended_with_its_children(remote).await;
    a_long_command_does_not_hold_up_a_short_one(remote).await;
    large_files_arrive_whole(remote).await;
    bad_files_are_told(remote).await;
    root_is_root(remote).await;
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

async fn what_a_command_says_comes_back(remote: &dyn Remote) {
    let command = Command::script("cat; echo \"$1\" >&2; exit 3").argument("it's").input("in");
    let output = remote.output(&command).await.expect("it runs");
    assert_eq!((output.status, output.text().as_str()), (3, "in"));
    assert_eq!(output.stderr, b"it's\n");
    let failed = remote.run(&command).await.expect_err("status 3").to_string();
    assert!(failed.starts_with(remote.name()), "{failed}");
    assert!(failed.contains("ended with status 3: it's"), "{failed}");
    assert!(!failed.contains("in\n"), "what it read is not shown: {failed}");
}

async fn large_outputs_do_not_block_each_other(remote: &dyn Remote) {
    const WRITE: &str = "head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero
head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2";
    let output = remote.output(&Command::script(WRITE)).await.expect("it runs");
    assert_eq!((output.stdout.len(), output.stderr.len()), (2_000_000, 2_000_000));
}

async fn a_large_input_arrives(remote: &dyn Remote) {
    let input: Vec<u8> = (0..3_000_000_u32).map(|it| (it % 251) as u8).collect();
    let output = remote.output(&Command::new("cat").input(input.clone())).await.expect("it runs");
    assert!(output.stdout == input, "{} bytes came back", output.stdout.len());
    // A command need not read what it is given.
    let output = remote.output(&Command::new("true").input(input)).await.expect("it runs");
    assert_eq!(output.status, 0);
}

async fn arguments_arrive_as_they_are(remote: &dyn Remote) {
    let nasty = [
        "", " ", "a b", "it's", "''", "$HOME", "`id`", "$(id)", "\\", "\\'", "\"", "a\nb\n", "-n",
        "--", "*", "~", "é\u{1e}", "#", ";", "&", "|", "!", "a=b", "%s", "\t", "\r",
    ];
    let command = Command::script("for each; do printf '%s\\0' \"$each\"; done").arguments(nasty);
    let output = remote.output(&command).await.expect("it runs");
    let expected: String = nasty.iter().map(|it| format!("{it}\0")).collect();
    assert_eq!(output.text(), expected);
}

async fn variables_arrive_as_they_are(remote: &dyn Remote) {
    let command = Command::script("printf %s \"$A $B\"").variable("A", "it's $B").variable("B", "");
    assert_eq!(remote.output(&command).await.expect("it runs").text(), "it's $B ");
}

async fn an_end_by_signal_is_a_status(remote: &dyn Remote) {
    let output = remote.output(&Command::script("kill -s KILL $$")).await.expect("it runs");
    assert_eq!(output.status, 137);
    let output = remote.output(&Command::script("exit 124")).await.expect("it runs");
    assert_eq!(output.status, 124, "not everything is a time-out");
}

async fn what_is_not_there_is_missing(remote: &dyn Remote) {
    let error = remote.run(&Command::new("no-such-program").argument("x")).await;
    let error = error.expect_err("there is none");
    assert!(matches!(error, RemoteError::Missing { .. }), "{error}");
    assert!(error.to_string().contains("`no-such-program` that runs"), "{error}");
}

async fn a_nul_is_refused(remote: &dyn Remote) {
    let error = remote.run(&Command::new("echo").argument("a\0b")).await.expect_err("a NUL");
    assert!(matches!(error, RemoteError::Refused { .. }), "{error}");
}

async fn a_stream_is_handed_on_as_it_comes(remote: &dyn Remote) {
    // It goes on only once what it said has been heard.
    const SPEAK: &str = "echo one; until [ -e \"$1\" ]; do sleep 0.01; done; echo two";
    let folder = folder();
    let mark = folder.path().join("heard");
    let command = Command::script(SPEAK).argument(text(&mark));
    let mut heard = Vec::new();
    let mut sink = |said: &[u8]| {
        heard.extend_from_slice(said);
        std::fs::write(&mark, "").expect("it is ours");
    };
    let output = remote.stream(&command, &mut sink).await.expect("it runs");
    assert_eq!((output.status, output.stdout.len()), (0, 0), "it is not kept as well");
    assert_eq!(heard, b"one\ntwo\n");
}

async fn a_background_child_is_not_waited_for(remote: &dyn Remote) {
    let folder = folder();
    // The child keeps both outputs open until the folder goes, with this test.
    let command = Command::script("(while [ -e \"$1\" ]; do sleep 0.05; done) & echo started");
    let command = command.argument(text(folder.path()));
    let said = remote.run(&command).await.expect("it does not hang");
    assert_eq!(said, "started");
}

/// Whether a process is alive.
fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
}

async fn a_late_command_is_ended_with_its_children(remote: &dyn Remote) {
    let folder = folder();
    let (child, parent) = (folder.path().join("child"), folder.path().join("parent"));
    let command =
        Command::script("sleep 1000 & echo $! >\"$1\"; echo $$ >\"$2\"; trap '' TERM; wait");
    let command = command.arguments([text(&child), text(&parent)]);
    let error = remote.run(&command.timeout(Duration::from_secs(4))).await;
    let error = error.expect_err("it is too slow");
    assert!(matches!(error, RemoteError::TimedOut { .. }), "{error}");
    let pids = [child, parent].map(|file| std::fs::read_to_string(file).expect("it had begun"));
    let until = Instant::now() + Duration::from_secs(10);
    while pids.iter().any(|pid| alive(pid)) {
        assert!(Instant::now() < until, "it goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn a_long_command_does_not_hold_up_a_short_one(remote: &dyn Remote) {
    let folder = folder();
    let over = text(&folder.path().join("over"));
    let long = Command::script("until [ -e \"$1\" ]; do sleep 0.05; done").argument(over.as_str());
    // Only the short one ends the long one.
    let short = Command::script(": >\"$1\"").argument(over.as_str());
    let (long, short) = tokio::join!(remote.run(&long), remote.run(&short));
    long.and(short).expect("both end");
}

async fn large_files_arrive_whole(remote: &dyn Remote) {
    let folder = folder();
    let [here, there, back] = ["here", "it's there", "back"].map(|name| folder.path().join(name));
    let mut content = vec![0; 100 << 20];
    let mut word = 1_u64;
    for piece in content.chunks_mut(8) {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        piece.copy_from_slice(&word.to_be_bytes());
    }
    std::fs::write(&here, &content).expect("it is ours");
    let began = Instant::now();
    remote.upload(&here, &text(&there), 0o640).await.expect("it is copied");
    let uploaded = began.elapsed();
    let length = remote.download(&text(&there), &back).await.expect("it is copied back");
    println!(
        "{}: 100 MiB up in {uploaded:?}, down in {:?}",
        remote.name(),
        began.elapsed() - uploaded
    );
    assert_eq!(length, content.len() as u64);
    let hash = |content: &[u8]| Sha256::digest(content);
    for copy in [&there, &back] {
        assert_eq!(hash(&std::fs::read(copy).expect("it is there")), hash(&content));
    }
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&there).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert!(!folder.path().join("it's there.partial").exists());
}

async fn bad_files_are_told(remote: &dyn Remote) {
    let folder = folder();
    let here = folder.path().join("here");
    let error = remote.upload(&here, "/tmp/x", 0o600).await.expect_err("there is none");
    assert!(error.to_string().contains(&text(&here)), "{error}");
    std::fs::write(&here, "content").expect("it is ours");
    let nowhere = text(&folder.path().join("no/such/folder"));
    let error = remote.upload(&here, &nowhere, 0o600).await.expect_err("there is no such folder");
    assert!(matches!(error, RemoteError::File { .. }), "{error}");
    assert!(error.to_string().contains(&nowhere), "{error}");
    let to = folder.path().join("copy");
    let error = remote.download(&nowhere, &to).await.expect_err("there is none");
    assert!(matches!(error, RemoteError::File { .. }), "{error}");
    assert!(!to.exists() && !folder.path().join("copy.partial").exists());
}

async fn root_is_root(remote: &dyn Remote) {
    let said = remote.run(&Command::script("id -u").as_root()).await.expect("root needs no sudo");
    assert_eq!(said, "0");
}

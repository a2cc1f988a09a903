//! Where things lie on a machine. Everything of ours is under one folder, but for the lock.

/// The folder of all that is ours.
pub const ROOT: &str = "/var/lib/perjury";

/// The data of stores, on a volume of its own where the machine can have one: what faults of the
/// disk are made on. A store keeps nothing else here.
pub const DATA: &str = "/var/lib/perjury/data";

/// The file that [`DATA`] is a mount of; with `.none` after it, why the machine can have none.
pub const VOLUME: &str = "/var/lib/perjury/volume.img";

/// What the controller that uses the machine has locked. Not in our folder: it must be had where the
/// disk is full, and where nothing of ours is left.
pub const LOCK: &str = "/run/perjury.lock";

/// Configuration of stores, and what is known of running processes.
pub const RUN: &str = "/var/lib/perjury/run";

/// What stores and our own programs say.
pub const LOG: &str = "/var/lib/perjury/log";

/// The log of a daemon.
pub fn log_file(daemon: &str) -> String {
    format!("{LOG}/{daemon}.log")
}

/// Process id and start time of a daemon.
pub fn process_file(daemon: &str) -> String {
    format!("{RUN}/{daemon}.process")
}

/// The control groups that a daemon is put into when it starts: the files that take process ids, one
/// a line.
pub fn groups_file(daemon: &str) -> String {
    format!("{RUN}/{daemon}.groups")
}

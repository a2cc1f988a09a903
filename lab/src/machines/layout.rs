//! Where things lie on a machine. Everything of ours is under one folder.

/// The folder of all that is ours.
pub const ROOT: &str = "/var/lib/perjury";

/// The data of stores, on a volume of its own where the machine can have one: what faults of the
/// disk are made on. A store keeps nothing else here.
pub const DATA: &str = "/var/lib/perjury/data";

/// The file that [`DATA`] is a mount of; with `.none` after it, why the machine can have none.
pub const VOLUME: &str = "/var/lib/perjury/volume.img";

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

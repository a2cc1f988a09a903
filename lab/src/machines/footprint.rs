//! What a store has on its machines, for those who break and collect things.

/// The parts of a store on each of its machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Its [daemons](super::Daemon), by name.
    pub daemons: Vec<&'static str>,
    /// The ports by which its nodes talk to each other.
    pub peer_ports: Vec<u16>,
    /// The folder of its data, below [`layout::DATA`](super::layout::DATA).
    pub data: String,
    /// Files worth damaging, as shell patterns relative to `data`: those that hold what clients
    /// wrote.
    pub data_files: Vec<&'static str>,
    /// Its logs, as absolute paths or shell patterns, besides the daemons' own.
    pub logs: Vec<String>,
}

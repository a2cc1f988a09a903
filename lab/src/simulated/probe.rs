//! Seeing from outside whether a link carries what is sent.

use serde::Serialize;

/// What became of some probe packets that one node's kernel sent to another's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkProbe {
    /// Packets sent.
    pub sent: u32,
    /// Different packets that arrived within the time given.
    pub arrived: u32,
    /// Arrivals beyond the first of each packet.
    pub duplicates: u32,
    /// Arrivals after a packet that was sent later.
    pub overtaken: u32,
    /// Mean time under way of those that arrived, in microseconds.
    pub mean_us: u64,
    /// Shortest time under way, in microseconds; 0 if none arrived.
    pub fastest_us: u64,
}

/// A probe under way.
#[derive(Default)]
pub(super) struct OpenProbe {
    /// For each arrival its packet number and its time under way in nanoseconds.
    pub(super) arrivals: Vec<(u32, u64)>,
}

impl OpenProbe {
    pub(super) fn result(&self, sent: u32) -> LinkProbe {
        let mut seen = vec![false; sent as usize];
        let mut result = LinkProbe { sent, ..LinkProbe::default() };
        let (mut total_ns, mut newest) = (0, 0);
        for &(packet, under_way_ns) in &self.arrivals {
            if std::mem::replace(&mut seen[packet as usize], true) {
                result.duplicates += 1;
                continue;
            }
            result.arrived += 1;
            result.overtaken += u32::from(packet < newest);
            newest = newest.max(packet);
            total_ns += under_way_ns;
        }
        let fastest_ns = self.arrivals.iter().map(|&(_, under_way_ns)| under_way_ns).min();
        result.fastest_us = fastest_ns.unwrap_or(0) / 1_000;
        result.mean_us = total_ns.checked_div(u64::from(result.arrived)).unwrap_or(0) / 1_000;
        result
    }
}

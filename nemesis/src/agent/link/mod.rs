//! Links that are slow, lossy, damaging or narrow, at the sender.
//!
//! Each fault is a file in a folder; what all of them do to a link together is one [`Impairment`].
//! Whenever the folder changes, the impairments are made anew, so that faults add up and each ends by
//! itself. A kernel with netem does the work itself (`netem.rs`); without, packets go through this
//! program (`queue.rs`).
//!
//! Invariants
//! - Only packets to other nodes are touched.
//! - If this program dies, packets pass as if it had never been there.

mod impairment;
mod netem;
mod queue;
mod rules;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::stop::Stop;
pub(crate) use impairment::Impairment;
use netem::Netem;
use queue::Wire;

/// Between two looks into the folder.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Impairs links until told to end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Links {
    /// Where the faults are: one file each, NUMBER.json with [`LinkFault`].
    pub(crate) folder: PathBuf,
}

/// What one fault does to packets that leave this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LinkFault {
    /// The nodes that packets are for, each with its addresses.
    pub(crate) peers: BTreeMap<u32, Vec<IpAddr>>,
    /// What is done to them.
    pub(crate) impairment: Impairment,
}

/// What is done to packets for one node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Peer {
    addresses: Vec<IpAddr>,
    impairment: Impairment,
}

/// By node.
type Peers = BTreeMap<u32, Peer>;

/// The file that says which faults are in force.
const LOADED: &str = "loaded";

/// The faults in a folder, by number.
fn faults(folder: &Path) -> BTreeMap<u32, LinkFault> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let read = entries.filter_map(|entry| {
        let path = entry.path();
        let number = path.file_name()?.to_str()?.strip_suffix(".json")?.parse().ok()?;
        // One that is being removed is none.
        Some((number, serde_json::from_slice(&fs::read(&path).ok()?).ok()?))
    });
    read.collect()
}

/// What several faults do together.
fn combined(faults: &BTreeMap<u32, LinkFault>) -> Peers {
    let mut peers = Peers::new();
    for fault in faults.values() {
        for (&node, addresses) in &fault.peers {
            let none = || Peer { addresses: addresses.clone(), impairment: Impairment::default() };
            let peer = peers.entry(node).or_insert_with(none);
            peer.impairment = peer.impairment.and(fault.impairment);
        }
    }
    peers
}

/// How packets are impaired.
enum Way {
    Kernel(Netem),
    Here(Box<Wire>),
}

/// Impairs links until told to end.
pub(super) fn impair(order: &Links) -> Result<(), String> {
    let stop = Stop::new()?;
    reset()?;
    let mut way = match netem::works() {
        true => Way::Kernel(Netem),
        false => Way::Here(Box::new(Wire::open()?)),
    };
    let mut known = BTreeMap::new();
    let mut next_look = Instant::now();
    let outcome = loop {
        if Instant::now() >= next_look {
            next_look = Instant::now() + LOOK_EVERY;
            let found = faults(&order.folder);
            if found != known || !order.folder.join(LOADED).exists() {
                let peers = combined(&found);
                let done = match &mut way {
                    Way::Kernel(netem) => netem.set(&peers),
                    Way::Here(wire) => wire.set(peers),
                };
                if let Err(problem) = done.and_then(|()| tell(&order.folder, found.keys())) {
                    break Err(problem);
                }
                known = found;
            }
        }
        let rest = match &mut way {
            Way::Kernel(_) => LOOK_EVERY,
            Way::Here(wire) => wire.work(LOOK_EVERY),
        };
        if stop.within(rest) {
            break Ok(());
        }
    };
    // What waits goes on its way now.
    drop(way);
    outcome.and(reset())
}

/// Says which faults are in force.
fn tell<'a>(folder: &Path, numbers: impl Iterator<Item = &'a u32>) -> Result<(), String> {
    let lines: String = numbers.map(|number| format!("{number}\n")).collect();
    let partial = folder.join("loaded.partial");
    let written =
        fs::write(&partial, lines).and_then(|()| fs::rename(&partial, folder.join(LOADED)));
    written.map_err(|error| format!("{}: {error}", folder.display()))
}

/// Removes what an agent that was killed left.
pub(super) fn reset() -> Result<(), String> {
    rules::remove()?;
    netem::remove()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_a_folder_add_up_by_node() {
        let folder = tempfile::tempdir().expect("a folder");
        let address = |text: &str| vec![text.parse().expect("an address")];
        let fault = |peers: &[(u32, &str)], delay_us| LinkFault {
            peers: peers.iter().map(|&(node, text)| (node, address(text))).collect(),
            impairment: Impairment { delay_us, ..Impairment::default() },
        };
        for (number, fault) in [
            (3, fault(&[(1, "10.0.0.2"), (2, "10.0.0.3")], 100)),
            (4, fault(&[(2, "10.0.0.3")], 7)),
        ] {
            let text = serde_json::to_string(&fault).expect("it is plain");
            fs::write(folder.path().join(format!("{number}.json")), text).expect("it is written");
        }
        fs::write(folder.path().join("5.json.partial"), "{").expect("it is written");
        let found = faults(folder.path());
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), [3, 4]);
        let delays = combined(&found).into_iter().map(|(node, it)| (node, it.impairment.delay_us));
        assert_eq!(delays.collect::<Vec<_>>(), [(1, 100), (2, 107)]);
    }
}

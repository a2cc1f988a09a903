//! A store for tests of faults: it pings its like on other machines, reads its clocks, writes
//! records, and says what it saw to whoever asks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::packet::{Kind, LENGTH, Packet};
use super::stop::Stop;

/// Between two pings to each other witness.
const PING_EVERY: Duration = Duration::from_millis(10);

/// Between two syncs of the disk.
const SYNC_EVERY: Duration = Duration::from_millis(300);

/// Between two readings of both clocks.
const CLOCKS_EVERY: Duration = Duration::from_millis(1);

/// Two readings of the monotonic clock, with one of the wall clock between them, that lie further
/// apart say nothing: the process was not running.
const READING_MAX_NS: i128 = 200_000;

/// Tells a witness what it is one of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Witness {
    /// Its own number.
    pub node: u32,
    /// The port of all witnesses.
    pub port: u16,
    /// The others, with one address each.
    pub peers: BTreeMap<u32, IpAddr>,
    /// Where it writes its records.
    pub file: PathBuf,
}

/// What a witness says. Times are in nanoseconds by its own clocks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Testimony {
    /// Since it started.
    pub monotonic_ns: u64,
    /// Since 1970.
    pub wall_ns: u64,
    /// Records on its disk when it started, of which it has added one at each ping.
    pub found: u64,
    /// Records on its disk now.
    pub written: u64,
    /// Those that were written before the last sync that ended.
    pub synced: u64,
    /// Records that it could not write, or not sync.
    pub refused: u64,
    /// The longest time that a record took since it was asked before.
    pub write_max_ns: u64,
    /// By how much the wall clock was ahead of the monotonic one, at least, since it was asked
    /// before.
    pub lead_min_ns: i128,
    /// And at most.
    pub lead_max_ns: i128,
    /// What it heard from each other one since it was asked before.
    pub heard: BTreeMap<u32, HeardPeer>,
}

/// What one witness heard from another since it was asked before.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct HeardPeer {
    /// Different pings.
    pub pings: u64,
    /// Pings that were missing between the first and the last.
    pub lost: u64,
    /// Pings that it had heard already.
    pub repeated: u64,
    /// Shortest time between a ping of its own and the answer to it.
    pub round_trip_min_ns: Option<u64>,
}

#[derive(Default)]
struct Ear {
    numbers: BTreeSet<u32>,
    repeated: u64,
    round_trip_min_ns: Option<u64>,
}

impl Ear {
    fn tell(&self) -> HeardPeer {
        let pings = self.numbers.len() as u64;
        let span = match (self.numbers.first(), self.numbers.last()) {
            (Some(first), Some(last)) => u64::from(last - first) + 1,
            _ => 0,
        };
        let Ear { repeated, round_trip_min_ns, .. } = *self;
        HeardPeer { pings, lost: span - pings, repeated, round_trip_min_ns }
    }
}

#[derive(Default)]
struct Sights {
    leads_ns: Option<(i128, i128)>,
    write_max_ns: u64,
    ears: BTreeMap<u32, Ear>,
}

#[derive(Default)]
struct Counts {
    found: AtomicU64,
    written: AtomicU64,
    synced: AtomicU64,
    refused: AtomicU64,
}

#[derive(Clone)]
struct Mind {
    began: Instant,
    sights: Arc<Mutex<Sights>>,
    counts: Arc<Counts>,
}

impl Mind {
    fn sights<T>(&self, work: impl FnOnce(&mut Sights) -> T) -> T {
        work(&mut self.sights.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn monotonic_ns(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// Reads both clocks and notes how they differ.
    fn read_clocks(&self) {
        let before_ns = i128::from(self.monotonic_ns());
        let wall_ns = i128::from(wall_ns());
        let after_ns = i128::from(self.monotonic_ns());
        if after_ns - before_ns > READING_MAX_NS {
            return;
        }
        let lead_ns = wall_ns - before_ns.midpoint(after_ns);
        self.sights(|sights| {
            let (least_ns, most_ns) = sights.leads_ns.unwrap_or((lead_ns, lead_ns));
            sights.leads_ns = Some((least_ns.min(lead_ns), most_ns.max(lead_ns)));
        });
    }

    fn testify(&self) -> Testimony {
        let sights = self.sights(std::mem::take);
        let (lead_min_ns, lead_max_ns) = sights.leads_ns.unwrap_or_default();
        let count = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Testimony {
            monotonic_ns: self.monotonic_ns(),
            wall_ns: wall_ns(),
            found: count(&self.counts.found),
            written: count(&self.counts.written),
            synced: count(&self.counts.synced),
            refused: count(&self.counts.refused),
            write_max_ns: sights.write_max_ns,
            lead_min_ns,
            lead_max_ns,
            heard: sights.ears.iter().map(|(&from, ear)| (from, ear.tell())).collect(),
        }
    }
}

fn wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// Witnesses until it is told to end.
pub(super) fn witness(order: &Witness) -> Result<(), String> {
    let stop = Stop::new()?;
    let mind = Mind { began: Instant::now(), sights: Arc::default(), counts: Arc::default() };
    let file = OpenOptions::new().create(true).append(true).open(&order.file);
    let file = file.map_err(|error| format!("{}: {error}", order.file.display()))?;
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    for counter in [&mind.counts.found, &mind.counts.written, &mind.counts.synced] {
        counter.store(length / RECORD, Ordering::SeqCst);
    }
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, order.port));
    let four = SocketAddr::from((Ipv4Addr::UNSPECIFIED, order.port));
    let socket = UdpSocket::bind(both).or_else(|_| UdpSocket::bind(four));
    let socket = Arc::new(socket.map_err(|error| error.to_string())?);
    for work in [
        Box::new({
            let (mind, socket, peers) = (mind.clone(), socket.clone(), order.peers.clone());
            move || hear(&mind, &socket, &peers)
        }) as Box<dyn FnOnce() + Send>,
        Box::new({
            let mind = mind.clone();
            move || write(&mind, file)
        }),
    ] {
        thread::spawn(work);
    }
    let mut next_ping = Instant::now();
    let mut number = 0;
    loop {
        mind.read_clocks();
        if Instant::now() >= next_ping {
            next_ping = Instant::now() + PING_EVERY;
            number += 1;
            ping(&mind, &socket, order, number);
        }
        if stop.within(CLOCKS_EVERY) {
            return Ok(());
        }
    }
}

fn ping(mind: &Mind, socket: &UdpSocket, order: &Witness, number: u32) {
    let v6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
    for &address in order.peers.values() {
        let packet = Packet {
            kind: Kind::Ping,
            token: 0,
            flow: order.node,
            number,
            sent_us: mind.monotonic_ns() / 1_000,
        };
        let to = SocketAddr::from((reachable(address, v6), order.port));
        // A ping that cannot be sent is a lost one.
        let _ = socket.send_to(&packet.encode(0), to);
    }
}

/// An address as a socket of both families takes it.
fn reachable(address: IpAddr, v6: bool) -> IpAddr {
    match address {
        IpAddr::V4(four) if v6 => four.to_ipv6_mapped().into(),
        other => other,
    }
}

fn hear(mind: &Mind, socket: &UdpSocket, peers: &BTreeMap<u32, IpAddr>) {
    let mut buffer = [0; 2048];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let Some(packet) = Packet::decode(&buffer[..length]) else {
            continue;
        };
        match packet.kind {
            Kind::Ping => {
                mind.sights(|sights| {
                    let ear = sights.ears.entry(packet.flow).or_default();
                    ear.repeated += u64::from(!ear.numbers.insert(packet.number));
                });
                let _ = socket.send_to(&Packet { kind: Kind::Pong, ..packet }.encode(0), from);
            }
            Kind::Pong => {
                let took_ns = (mind.monotonic_ns() / 1_000).saturating_sub(packet.sent_us) * 1_000;
                let by = peers.iter().find(|(_, address)| **address == from.ip().to_canonical());
                let Some((&by, _)) = by else { continue };
                mind.sights(|sights| {
                    let ear = sights.ears.entry(by).or_default();
                    let shortest_ns = ear.round_trip_min_ns.unwrap_or(u64::MAX);
                    ear.round_trip_min_ns = Some(shortest_ns.min(took_ns));
                });
            }
            Kind::Question => {
                let mut reply = packet.encode(LENGTH);
                reply.extend(serde_json::to_vec(&mind.testify()).unwrap_or_default());
                let _ = socket.send_to(&reply, from);
            }
        }
    }
}

/// Bytes of a record.
const RECORD: u64 = 8;

/// Writes a record again and again, and syncs now and then.
fn write(mind: &Mind, mut file: File) {
    let mut next_sync = Instant::now() + SYNC_EVERY;
    let counts = &mind.counts;
    loop {
        let began = Instant::now();
        let number = counts.written.load(Ordering::SeqCst) + 1;
        match file.write_all(&number.to_be_bytes()) {
            Ok(()) => counts.written.store(number, Ordering::SeqCst),
            Err(_) => _ = counts.refused.fetch_add(1, Ordering::SeqCst),
        }
        if Instant::now() >= next_sync {
            next_sync = Instant::now() + SYNC_EVERY;
            let written = counts.written.load(Ordering::SeqCst);
            match file.sync_data() {
                Ok(()) => counts.synced.store(written, Ordering::SeqCst),
                Err(_) => _ = counts.refused.fetch_add(1, Ordering::SeqCst),
            }
        }
        let took_ns = began.elapsed().as_nanos() as u64;
        mind.sights(|sights| sights.write_max_ns = sights.write_max_ns.max(took_ns));
        thread::sleep(PING_EVERY);
    }
}

/// Asks a witness, from any machine; `None` if it does not answer in time.
pub fn ask_witness(address: IpAddr, port: u16, patience: Duration) -> Option<Testimony> {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((address, port)).ok()?;
    socket.set_read_timeout(Some(patience)).ok()?;
    let packet = Packet { kind: Kind::Question, token: 0, flow: 0, number: 0, sent_us: 0 };
    socket.send(&packet.encode(0)).ok()?;
    let mut buffer = vec![0; 64 * 1024];
    let length = socket.recv(&mut buffer).ok()?;
    serde_json::from_slice(buffer.get(LENGTH..length)?).ok()
}

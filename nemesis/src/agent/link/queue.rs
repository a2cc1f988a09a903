//! Packets that wait here until their time has come.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use nfq::{Message, Queue, Verdict};
use rand::RngExt;
use rand_pcg::Pcg64;
use socket2::{Domain, Protocol, Socket, Type};

use super::rules::{self, MARK, QUEUE};
use super::{Impairment, Peers};

/// How much later a packet goes that others overtake.
const HELD_BACK: Duration = Duration::from_millis(5);

/// How long packets may wait for a narrow link; what would wait longer is lost, as in any router.
const BACKLOG_MAX: Duration = Duration::from_secs(2);

/// Packets that may wait in all.
const WAITING_MAX: u32 = 16_384;

/// The way of packets from the kernel and back.
pub(super) struct Wire {
    queue: Queue,
    /// For second copies, one for each family.
    copies: [Option<Socket>; 2],
    peers: Peers,
    /// Which node has an address.
    nodes: BTreeMap<IpAddr, u32>,
    lines: BTreeMap<u32, Line>,
    waiting: BTreeMap<(Instant, u64), Waiting>,
    next: u64,
    rng: Pcg64,
}

/// What a link has still to carry.
#[derive(Clone, Copy, Default)]
struct Line {
    /// When the last packet is through the narrow place.
    free_at: Option<Instant>,
    /// When the last packet arrives that nothing overtakes.
    last_at: Option<Instant>,
}

enum Waiting {
    Packet(Message),
    Copy(Vec<u8>, IpAddr),
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fate {
    lost: bool,
    doubled: bool,
    /// The bit that is wrong.
    wrong_bit: Option<usize>,
    leaves_at: Instant,
}

impl Line {
    /// Draws what becomes of a packet of so many bytes, of which `payload` follow the IP header.
    fn draw(
        &mut self,
        impairment: &Impairment,
        bytes: usize,
        payload: usize,
        now: Instant,
        rng: &mut Pcg64,
    ) -> Fate {
        let happens = |ppm: u32, rng: &mut Pcg64| rng.random_range(0..1_000_000) < ppm;
        let mut lost = happens(impairment.loss_ppm, rng);
        let doubled = happens(impairment.duplicate_ppm, rng);
        let wrong = happens(impairment.corrupt_ppm, rng) && payload > 0;
        let wrong_bit = wrong.then(|| (bytes - payload) * 8 + rng.random_range(0..payload * 8));
        let overtaken = happens(impairment.reorder_ppm, rng);
        let mut leaves_at = now;
        if let Some(rate_kbit) = impairment.rate_kbit
            && !lost
        {
            let begins = self.free_at.map_or(now, |free_at| free_at.max(now));
            lost = begins - now > BACKLOG_MAX;
            if !lost {
                let bits = bytes as u64 * 8;
                let takes = Duration::from_micros(bits * 1_000 / u64::from(rate_kbit.max(1)));
                leaves_at = begins + takes;
                self.free_at = Some(leaves_at);
            }
        }
        let late_us = impairment.delay_us + rng.random_range(0..=impairment.jitter_us);
        leaves_at += Duration::from_micros(late_us);
        if overtaken {
            leaves_at += HELD_BACK;
        } else {
            // The others arrive in the order in which they were sent, as over one wire.
            leaves_at = self.last_at.map_or(leaves_at, |last_at| last_at.max(leaves_at));
            self.last_at = Some(leaves_at);
        }
        Fate { lost, doubled, wrong_bit, leaves_at }
    }
}

impl Wire {
    pub(super) fn open() -> Result<Self, String> {
        let said = |error: std::io::Error| format!("the packet queue {QUEUE}: {error}");
        let mut queue = Queue::open().map_err(said)?;
        queue.bind(QUEUE).map_err(said)?;
        queue.set_queue_max_len(QUEUE, WAITING_MAX).map_err(said)?;
        queue.set_recv_enobufs(false).map_err(said)?;
        queue.set_nonblocking(true);
        Ok(Self {
            queue,
            copies: [raw_socket(Domain::IPV4), raw_socket(Domain::IPV6)],
            peers: Peers::new(),
            nodes: BTreeMap::new(),
            lines: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next: 0,
            rng: generator()?,
        })
    }

    /// Impairs packets for these nodes from now on.
    pub(super) fn set(&mut self, peers: Peers) -> Result<(), String> {
        rules::set(&peers)?;
        let addresses = peers
            .iter()
            .flat_map(|(&node, peer)| peer.addresses.iter().map(move |&address| (address, node)));
        self.nodes = addresses.collect();
        self.lines.retain(|node, _| peers.contains_key(node));
        self.peers = peers;
        Ok(())
    }

    /// Takes what has come and lets go what is due. Returns when to do so again, no later than
    /// `longest` from now.
    pub(super) fn work(&mut self, longest: Duration) -> Duration {
        const SOON: Duration = Duration::from_micros(300);
        // Errors are of single packets: there is nothing to be done about them.
        while let Ok(packet) = self.queue.recv() {
            self.take(packet);
        }
        let now = Instant::now();
        while let Some(entry) = self.waiting.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let waiting = entry.remove();
            self.release(waiting);
        }
        match self.peers.is_empty() && self.waiting.is_empty() {
            true => longest,
            false => SOON,
        }
    }

    fn take(&mut self, mut packet: Message) {
        let now = Instant::now();
        let bytes = packet.get_payload();
        let target = destination(bytes);
        let node = target.and_then(|(address, _)| self.nodes.get(&address).copied());
        let (Some((address, header)), Some(node)) = (target, node) else {
            packet.set_verdict(Verdict::Accept);
            let _ = self.queue.verdict(packet);
            return;
        };
        let impairment = self.peers[&node].impairment;
        let (length, payload) = (bytes.len(), bytes.len() - header);
        let line = self.lines.entry(node).or_default();
        let fate = line.draw(&impairment, length, payload, now, &mut self.rng);
        if fate.lost {
            packet.set_verdict(Verdict::Drop);
            let _ = self.queue.verdict(packet);
            return;
        }
        if fate.doubled {
            let copy = Waiting::Copy(packet.get_payload().to_vec(), address);
            self.wait(fate.leaves_at, copy);
        }
        if let Some(bit) = fate.wrong_bit {
            packet.get_payload_mut()[bit / 8] ^= 1 << (bit % 8);
        }
        packet.set_verdict(Verdict::Accept);
        self.wait(fate.leaves_at, Waiting::Packet(packet));
    }

    fn wait(&mut self, until: Instant, waiting: Waiting) {
        self.waiting.insert((until, self.next), waiting);
        self.next += 1;
    }

    fn release(&mut self, waiting: Waiting) {
        match waiting {
            Waiting::Packet(packet) => _ = self.queue.verdict(packet),
            Waiting::Copy(bytes, address) => {
                let socket = &self.copies[usize::from(address.is_ipv6())];
                if let Some(socket) = socket {
                    // A copy that cannot be sent is a lost one.
                    let _ = socket.send_to(&bytes, &SocketAddr::from((address, 0)).into());
                }
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_values().for_each(|it| self.release(it));
        while let Ok(mut packet) = self.queue.recv() {
            packet.set_verdict(Verdict::Accept);
            let _ = self.queue.verdict(packet);
        }
    }
}

/// Sends packets that have their IP headers already, past the queue.
fn raw_socket(domain: Domain) -> Option<Socket> {
    const RAW: i32 = 255;
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(RAW))).ok()?;
    socket.set_mark(MARK).ok()?;
    Some(socket)
}

/// Where a packet goes, and the length of its IP header.
fn destination(packet: &[u8]) -> Option<(IpAddr, usize)> {
    match packet.first()? >> 4 {
        4 => {
            let header = usize::from(packet[0] & 0xf) * 4;
            let bytes: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
            (packet.len() >= header).then_some((Ipv4Addr::from(bytes).into(), header))
        }
        6 => {
            let bytes: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
            Some((Ipv6Addr::from(bytes).into(), 40))
        }
        _ => None,
    }
}

/// What is drawn here is of packets that nobody can send again the same: the seed is the moment.
fn generator() -> Result<Pcg64, String> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let since = since.map_err(|error| error.to_string())?;
    Ok(Pcg64::new(since.as_nanos(), 0x11F6))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(impairment: Impairment, packets: u32) -> (Instant, Vec<Fate>) {
        let (mut line, mut rng, now) = (Line::default(), Pcg64::new(1, 1), Instant::now());
        let draw = |_| line.draw(&impairment, 125, 97, now, &mut rng);
        (now, (0..packets).map(draw).collect())
    }

    #[test]
    fn a_line_without_faults_does_nothing() {
        let (now, fates) = fates(Impairment::default(), 100);
        let plain = Fate { lost: false, doubled: false, wrong_bit: None, leaves_at: now };
        assert!(fates.iter().all(|fate| *fate == plain));
    }

    #[test]
    fn shares_are_kept_and_wrong_bits_are_behind_the_header() {
        let (loss_ppm, duplicate_ppm, corrupt_ppm) = (300_000, 100_000, 200_000);
        let impairment =
            Impairment { loss_ppm, duplicate_ppm, corrupt_ppm, ..Impairment::default() };
        let (_, fates) = fates(impairment, 10_000);
        let near = |count: usize, ppm: u32| (count as i64 * 100 - i64::from(ppm)).abs() < 20_000;
        assert!(near(fates.iter().filter(|it| it.lost).count(), loss_ppm));
        assert!(near(fates.iter().filter(|it| it.doubled).count(), duplicate_ppm));
        let bits: Vec<usize> = fates.iter().filter_map(|it| it.wrong_bit).collect();
        assert!(near(bits.len(), corrupt_ppm));
        assert!(bits.iter().all(|bit| (28 * 8..125 * 8).contains(bit)));
    }

    #[test]
    fn late_packets_keep_their_order_but_those_that_are_overtaken() {
        let (delay_us, jitter_us) = (10_000, 5_000);
        let impairment = Impairment { delay_us, jitter_us, ..Impairment::default() };
        let (now, slow) = fates(impairment, 1_000);
        assert!(slow.is_sorted_by_key(|fate| fate.leaves_at));
        assert!(slow[0].leaves_at >= now + Duration::from_micros(delay_us));
        let (_, mixed) = fates(Impairment { reorder_ppm: 200_000, ..impairment }, 1_000);
        assert!(!mixed.is_sorted_by_key(|fate| fate.leaves_at));
    }

    #[test]
    fn a_narrow_line_carries_its_rate_and_loses_what_would_wait_too_long() {
        let impairment = Impairment { rate_kbit: Some(100), ..Impairment::default() };
        let (now, fates) = fates(impairment, 1_000);
        // A packet of 1,000 bits every 10 ms.
        assert_eq!(fates[9].leaves_at, now + Duration::from_millis(100));
        let carried = fates.iter().filter(|fate| !fate.lost).count();
        assert_eq!(carried as u128, BACKLOG_MAX.as_millis() / 10 + 1);
    }

    #[test]
    fn destinations_are_read_from_both_kinds_of_header() {
        let mut four = vec![0; 28];
        (four[0], four[19]) = (0x45, 9);
        assert_eq!(destination(&four), Some((Ipv4Addr::new(0, 0, 0, 9).into(), 20)));
        let mut six = vec![0; 48];
        (six[0], six[39]) = (0x60, 1);
        assert_eq!(destination(&six), Some((Ipv6Addr::LOCALHOST.into(), 40)));
        for rubbish in [&[][..], &[0x45], &[0x60; 39], &[0; 60]] {
            assert_eq!(destination(rubbish), None);
        }
    }
}

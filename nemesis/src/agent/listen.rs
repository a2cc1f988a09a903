//! Hears packets of probes, echoes them, and says what it heard.
//!
//! It is asked over the loopback interface, which no fault touches. It ends by itself when nobody
//! has needed it for a while.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::packet::{Kind, LENGTH, Packet};
use super::stop::Stop;

/// Without a packet or a question for so long it ends.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// Looks that are remembered.
const LOOKS_MAX: usize = 32;

/// Tells the listener where to listen first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Listen {
    /// The port at which it is asked, too.
    pub(crate) port: u16,
}

/// Asks the listener of this machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    /// Where it listens.
    pub(crate) port: u16,
    /// Of which look.
    pub(crate) token: u64,
    /// Other ports at which it should listen from now on.
    pub(crate) ports: BTreeSet<u16>,
}

/// What was heard of a look.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// By flow.
    pub(crate) flows: BTreeMap<u32, HeardFlow>,
    /// Packets of any kind whose checksum was wrong, since the machine started.
    pub(crate) damaged: u64,
    /// Ports that are not listened at, and why.
    pub(crate) problems: Vec<String>,
}

/// What was heard of a flow.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct HeardFlow {
    /// Different packets.
    pub(crate) arrived: u32,
    /// Packets that had arrived already.
    pub(crate) repeated: u32,
    /// Packets that arrived after one that was sent later.
    pub(crate) overtaken: u32,
    /// Bytes of all but the first packet.
    pub(crate) bytes: u64,
    /// Between the first packet and the last, in microseconds.
    pub(crate) span_us: u64,
}

struct Flow {
    heard: HeardFlow,
    numbers: BTreeSet<u32>,
    first: Instant,
}

impl Flow {
    fn new() -> Self {
        Self { heard: HeardFlow::default(), numbers: BTreeSet::new(), first: Instant::now() }
    }

    fn hear(&mut self, number: u32, length: usize) {
        let heard = &mut self.heard;
        match self.numbers.is_empty() {
            true => self.first = Instant::now(),
            false => heard.bytes += length as u64,
        }
        heard.span_us = self.first.elapsed().as_micros() as u64;
        heard.overtaken += u32::from(self.numbers.last().is_some_and(|last| number < *last));
        match self.numbers.insert(number) {
            true => heard.arrived += 1,
            false => heard.repeated += 1,
        }
    }
}

#[derive(Default)]
struct Ears {
    looks: VecDeque<(u64, BTreeMap<u32, Flow>)>,
    ports: BTreeSet<u16>,
    last: Option<Instant>,
}

impl Ears {
    fn look(&mut self, token: u64) -> &mut BTreeMap<u32, Flow> {
        if !self.looks.iter().any(|(known, _)| *known == token) {
            self.looks.truncate(LOOKS_MAX);
            self.looks.push_front((token, BTreeMap::new()));
        }
        let look = self.looks.iter_mut().find(|(known, _)| *known == token);
        &mut look.expect("it was put there").1
    }
}

type Shared = Arc<Mutex<Ears>>;

/// Listens until it is told to end, or nobody needs it.
pub(super) fn listen(order: &Listen) -> Result<(), String> {
    let stop = Stop::new()?;
    let ears = Shared::default();
    open(order.port, &ears)?;
    let began = Instant::now();
    while !stop.within(Duration::from_secs(1)) {
        let last = locked(&ears, |ears| ears.last).unwrap_or(began);
        if last.elapsed() > IDLE_MAX {
            break;
        }
    }
    Ok(())
}

fn locked<T>(ears: &Shared, work: impl FnOnce(&mut Ears) -> T) -> T {
    work(&mut ears.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Listens at one more port, with IPv6 if the machine has it.
fn open(port: u16, ears: &Shared) -> Result<(), String> {
    if !locked(ears, |ears| ears.ports.insert(port)) {
        return Ok(());
    }
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let four = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let socket = UdpSocket::bind(both).or_else(|_| UdpSocket::bind(four));
    let socket = socket.map_err(|error| {
        locked(ears, |ears| ears.ports.remove(&port));
        format!("UDP port {port}: {error}")
    })?;
    let ears = ears.clone();
    thread::spawn(move || serve(&socket, &ears));
    Ok(())
}

fn serve(socket: &UdpSocket, ears: &Shared) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        // An error is what came of an earlier echo: nobody waits for it there any more.
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let Some(packet) = Packet::decode(&buffer[..length]) else {
            continue;
        };
        let reply = match packet.kind {
            Kind::Ping => {
                locked(ears, |ears| {
                    ears.last = Some(Instant::now());
                    let look = ears.look(packet.token);
                    look.entry(packet.flow).or_insert_with(Flow::new).hear(packet.number, length);
                });
                Packet { kind: Kind::Pong, ..packet }.encode(0)
            }
            Kind::Question if from.ip().to_canonical().is_loopback() => {
                let asked = serde_json::from_slice::<Question>(&buffer[LENGTH..length]);
                let Ok(question) = asked else { continue };
                let mut reply = packet.encode(0);
                reply.extend(serde_json::to_vec(&tell(&question, ears)).unwrap_or_default());
                reply
            }
            _ => continue,
        };
        // If it cannot be sent, it is not heard: as if it were lost.
        let _ = socket.send_to(&reply, from);
    }
}

fn tell(question: &Question, ears: &Shared) -> Heard {
    let opened = question.ports.iter().map(|&port| open(port, ears));
    let problems = opened.filter_map(Result::err).collect();
    locked(ears, |ears| {
        ears.last = Some(Instant::now());
        let flows = ears.look(question.token).iter();
        let flows = flows.map(|(&flow, heard)| (flow, heard.heard.clone())).collect();
        Heard { flows, damaged: damaged(), problems }
    })
}

/// Packets with a wrong checksum, as the kernel counts them.
fn damaged() -> u64 {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    damaged_four(&read("/proc/net/snmp")) + damaged_six(&read("/proc/net/snmp6"))
}

/// Pairs of lines: names, then numbers.
fn damaged_four(text: &str) -> u64 {
    let lines: Vec<&str> = text.lines().collect();
    let pairs = lines
        .chunks_exact(2)
        .flat_map(|pair| pair[0].split_whitespace().zip(pair[1].split_whitespace()));
    pairs
        .filter(|(name, _)| *name == "InCsumErrors")
        .filter_map(|(_, it)| it.parse::<u64>().ok())
        .sum()
}

fn damaged_six(text: &str) -> u64 {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        name.ends_with("InCsumErrors").then(|| words.next()?.parse::<u64>().ok())?
    });
    lines.sum()
}

/// Asks the listener of this machine.
pub(super) fn heard(question: &Question) -> Result<Heard, String> {
    const TRIES: u32 = 10;
    const PATIENCE: Duration = Duration::from_millis(100);
    let said = |error: std::io::Error| error.to_string();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(said)?;
    socket.connect((Ipv4Addr::LOCALHOST, question.port)).map_err(said)?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(said)?;
    let packet =
        Packet { kind: Kind::Question, token: question.token, flow: 0, number: 0, sent_us: 0 };
    let mut message = packet.encode(0);
    message.extend(serde_json::to_vec(question).map_err(|error| error.to_string())?);
    let mut buffer = vec![0; 64 * 1024];
    let mut problem = "no answer".to_owned();
    for _ in 0..TRIES {
        let answered = socket.send(&message).and_then(|_| socket.recv(&mut buffer));
        match answered {
            Ok(length) if length > LENGTH => {
                let heard = serde_json::from_slice(&buffer[LENGTH..length]);
                return heard.map_err(|error| error.to_string());
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                return Err(format!("nobody listens at port {}", question.port));
            }
            Err(error) => problem = error.to_string(),
        }
    }
    Err(format!("the listener at port {} does not answer: {problem}", question.port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_packets_are_counted_in_both_formats() {
        let four = "Tcp: RtoMin InErrs InCsumErrors\nTcp: 200 3 2\n\
                    Udp: InDatagrams InCsumErrors MemErrors\nUdp: 5 40 0\n";
        assert_eq!(damaged_four(four), 42);
        assert_eq!(damaged_six("Ip6InReceives 9\nUdp6InCsumErrors 	7\nIcmp6InCsumErrors 1\n"), 8);
        assert_eq!((damaged_four(""), damaged_six("")), (0, 0));
    }

    #[test]
    fn a_flow_tells_lost_repeated_and_overtaken_packets() {
        let mut flow = Flow::new();
        for number in [1, 2, 4, 3, 4, 9] {
            flow.hear(number, 100);
        }
        let HeardFlow { arrived, repeated, overtaken, bytes, .. } = flow.heard;
        assert_eq!((arrived, repeated, overtaken, bytes), (5, 1, 1, 500));
    }

    #[test]
    fn old_looks_are_forgotten() {
        let mut ears = Ears::default();
        for token in 0..1_000 {
            ears.look(token).insert(0, Flow::new());
        }
        assert!(ears.looks.len() <= LOOKS_MAX + 1);
        assert!(ears.look(999).contains_key(&0) && ears.look(0).is_empty());
    }
}

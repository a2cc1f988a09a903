//! Sends packets to listeners of other machines, and hears the echoes.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::packet::{Kind, Packet};

/// What to send where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Probe {
    /// Names the look.
    pub(crate) token: u64,
    /// Where.
    pub(crate) targets: Vec<ProbeTarget>,
    /// Packets to each.
    pub(crate) packets: u32,
    /// Bytes of each.
    pub(crate) size: usize,
    /// Between two packets to the same, in microseconds.
    pub(crate) every_us: u64,
    /// How long to wait for echoes after the last packet, in milliseconds.
    pub(crate) patience_ms: u64,
}

/// One address.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ProbeTarget {
    /// Names it.
    pub(crate) flow: u32,
    /// Where it listens.
    pub(crate) address: IpAddr,
    /// At which port.
    pub(crate) port: u16,
}

/// What came back of a flow.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Probed {
    /// Echoes, each counted once.
    pub(crate) answered: u32,
    /// Of the fastest, in microseconds.
    pub(crate) round_trip_min_us: u64,
}

/// By flow.
pub(super) fn probe(order: &Probe) -> Result<BTreeMap<u32, Probed>, String> {
    const REST: Duration = Duration::from_micros(500);
    let sockets: Result<Vec<_>, _> = order.targets.iter().map(connect).collect();
    let sockets = sockets.map_err(|error| error.to_string())?;
    let began = Instant::now();
    let mut echoes: BTreeMap<u32, BTreeMap<u32, u64>> = BTreeMap::new();
    let (mut sent, mut last) = (0, began);
    loop {
        let now_us = || began.elapsed().as_micros() as u64;
        while sent < order.packets && now_us() >= u64::from(sent) * order.every_us {
            for (target, socket) in order.targets.iter().zip(&sockets) {
                let packet = Packet {
                    kind: Kind::Ping,
                    token: order.token,
                    flow: target.flow,
                    number: sent,
                    sent_us: now_us(),
                };
                // A packet that cannot be sent is a lost one.
                let _ = socket.send(&packet.encode(order.size));
            }
            (sent, last) = (sent + 1, Instant::now());
        }
        for socket in &sockets {
            for (packet, at_us) in received(socket, began) {
                if packet.kind == Kind::Pong && packet.token == order.token {
                    let took_us = at_us.saturating_sub(packet.sent_us);
                    let flow = echoes.entry(packet.flow).or_default();
                    flow.entry(packet.number).or_insert(took_us);
                }
            }
        }
        let answered = |target: &ProbeTarget| {
            echoes.get(&target.flow).is_some_and(|it| it.len() >= order.packets as usize)
        };
        let done = order.targets.iter().all(answered)
            || last.elapsed() >= Duration::from_millis(order.patience_ms);
        if sent == order.packets && done {
            break;
        }
        thread::sleep(REST);
    }
    let probed = echoes.into_iter().map(|(flow, times)| {
        let round_trip_min_us = times.values().copied().min().unwrap_or(0);
        (flow, Probed { answered: times.len() as u32, round_trip_min_us })
    });
    Ok(probed.collect())
}

fn connect(target: &ProbeTarget) -> io::Result<UdpSocket> {
    let any: IpAddr = match target.address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(SocketAddr::from((target.address, target.port)))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// What waits at a socket. That nobody listens there is no news.
fn received(socket: &UdpSocket, began: Instant) -> Vec<(Packet, u64)> {
    let mut packets = Vec::new();
    let mut buffer = [0; 2048];
    while let Ok(length) = socket.recv(&mut buffer) {
        let at_us = began.elapsed().as_micros() as u64;
        packets.extend(Packet::decode(&buffer[..length]).map(|packet| (packet, at_us)));
    }
    packets
}

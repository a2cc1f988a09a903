//! The packets that show what links do.

/// First bytes of each.
const MAGIC: [u8; 4] = *b"PRJ1";

/// Bytes of a packet without padding.
pub(super) const LENGTH: usize = 29;

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// To be echoed.
    Ping,
    /// An echo.
    Pong,
    /// What was heard? JSON follows, and so it does in the answer.
    Question,
}

/// A probe's packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) kind: Kind,
    /// Names the look that it belongs to.
    pub(super) token: u64,
    /// Which link and address it went by.
    pub(super) flow: u32,
    /// Counts within its flow.
    pub(super) number: u32,
    /// When it was sent, in microseconds by the sender's clock.
    pub(super) sent_us: u64,
}

impl Packet {
    /// Its bytes, padded to `size`.
    pub(super) fn encode(&self, size: usize) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(match self.kind {
            Kind::Ping => 0,
            Kind::Pong => 1,
            Kind::Question => 2,
        });
        bytes.extend(self.token.to_be_bytes());
        bytes.extend(self.flow.to_be_bytes());
        bytes.extend(self.number.to_be_bytes());
        bytes.extend(self.sent_us.to_be_bytes());
        bytes.resize(size.max(LENGTH), 0);
        bytes
    }

    /// `None` if it is not one of ours.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (&kind, rest) = rest.split_first()?;
        let kind = match kind {
            0 => Kind::Ping,
            1 => Kind::Pong,
            2 => Kind::Question,
            _ => return None,
        };
        let (token, rest) = rest.split_first_chunk()?;
        let (flow, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (sent, _) = rest.split_first_chunk()?;
        Some(Self {
            kind,
            token: u64::from_be_bytes(*token),
            flow: u32::from_be_bytes(*flow),
            number: u32::from_be_bytes(*number),
            sent_us: u64::from_be_bytes(*sent),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded_and_nothing_else_is() {
        let packet = Packet { kind: Kind::Ping, token: 1 << 60, flow: 7, number: 9, sent_us: 11 };
        for size in [0, 29, 1_000] {
            let bytes = packet.encode(size);
            assert_eq!(bytes.len(), size.max(LENGTH));
            assert_eq!(Packet::decode(&bytes), Some(packet));
        }
        for length in 0..LENGTH {
            assert_eq!(Packet::decode(&packet.encode(0)[..length]), None);
        }
        assert_eq!(Packet::decode(&[9; 64]), None);
    }
}

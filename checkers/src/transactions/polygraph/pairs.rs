//! What is not known at first: the order of versions, and the writers of repeated values.

use crate::transactions::observations::Observations;

/// Two writers of an item, one of which came first. Once that is known, the first is `one`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) item: u32,
    pub(super) one: Version,
    pub(super) other: Version,
}

/// A version of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) writer: u32,
    /// Its number among all versions of all items whose order is not known.
    pub(super) slot: u32,
}

impl Version {
    /// The version of an item that a transaction wrote.
    pub(super) fn of(observations: &Observations, item: u32, writer: u32) -> Option<Self> {
        let place = observations.tails.of(item).binary_search(&writer).ok()?;
        Some(Self { writer, slot: observations.tails.begin(item) + place as u32 })
    }
}

impl Pair {
    pub(super) fn reversed(self) -> Self {
        Self { item: self.item, one: self.other, other: self.one }
    }

    /// All pairs whose order is not known.
    pub(super) fn all(observations: &Observations) -> Vec<Self> {
        let mut pairs = Vec::new();
        for item in 0..observations.items.len() as u32 {
            let begin = observations.tails.begin(item);
            let tail = observations.tails.of(item).iter().zip(begin..);
            let versions: Vec<_> =
                tail.map(|(writer, slot)| Version { writer: *writer, slot }).collect();
            for (index, one) in versions.iter().enumerate() {
                let others = versions[index + 1..].iter();
                pairs.extend(others.map(|other| Self { item, one: *one, other: *other }));
            }
        }
        pairs
    }
}

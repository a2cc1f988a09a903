//! A running checksum of entries.

use crate::{Entry, Event, FaultEvent, MicroOp, NodeId, Reading, Value};

/// Each step maps the state one to one, so entries that differ in one word never agree; entries
/// that differ in more agree with a chance of about 2^-64. Not for use against forgers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checksum(u64);

impl Checksum {
    pub(super) fn new() -> Self {
        Checksum(0x5045_524a_5552_5931)
    }

    pub(super) fn value(self) -> u64 {
        self.0
    }

    pub(super) fn entry(&mut self, entry: &Entry) {
        match entry {
            Entry::Operation(event) => self.operation(event),
            Entry::Fault(event) => self.fault(event),
        }
    }

    fn operation(&mut self, event: &Event) {
        let Event { time_ns, process, kind, micro_ops, node, version, error } = event;
        self.word(1 + *kind as u64);
        self.word(*time_ns);
        self.word(process.0.into());
        self.node(*node);
        self.word(version.is_some().into());
        if let Some(version) = version {
            self.word(version.epoch);
            self.word(version.position);
        }
        self.word(error.is_some().into());
        if let Some(error) = error {
            self.text(error);
        }
        self.word(micro_ops.len() as u64);
        for micro_op in micro_ops {
            self.micro_op(micro_op);
        }
    }

    fn micro_op(&mut self, micro_op: &MicroOp) {
        let key = micro_op.key() as u64;
        match *micro_op {
            MicroOp::Read { result, .. } => {
                self.words([1, key]);
                self.result(result);
            }
            MicroOp::Write { value, .. } => self.words([2, key, value as u64]),
            MicroOp::Cas { old, new, .. } => self.words([3, key, old as u64, new as u64]),
            MicroOp::Inspect { result, .. } => {
                self.words([4, key]);
                self.result(result);
            }
            MicroOp::Add { value, .. } => self.words([5, key, value as u64]),
            MicroOp::ReadSet { ref result, .. } => {
                self.words([6, key]);
                self.numbers(result.as_deref());
            }
            MicroOp::InspectSet { ref result, .. } => {
                self.words([7, key]);
                self.numbers(result.as_deref());
            }
            MicroOp::Increment { delta, .. } => self.words([8, key, delta as u64]),
            MicroOp::ReadCounter { result, .. } => {
                self.words([9, key]);
                self.numbers(result.as_ref().map(std::slice::from_ref));
            }
            MicroOp::InspectCounter { result, .. } => {
                self.words([10, key]);
                self.numbers(result.as_ref().map(std::slice::from_ref));
            }
            MicroOp::Acquire { token, .. } => {
                self.words([11, key]);
                self.numbers(token.as_ref().map(std::slice::from_ref));
            }
            MicroOp::Release { token, .. } => self.words([12, key, token as u64]),
            MicroOp::Append { value, .. } => self.words([13, key, value as u64]),
            MicroOp::ReadList { ref result, .. } => {
                self.words([14, key]);
                self.numbers(result.as_deref());
            }
            MicroOp::Enqueue { value, .. } => self.words([15, key, value as u64]),
            MicroOp::Dequeue { result, .. } => {
                self.words([16, key]);
                self.result(result);
            }
            MicroOp::Push { value, .. } => self.words([17, key, value as u64]),
            MicroOp::Pop { result, .. } => {
                self.words([18, key]);
                self.result(result);
            }
            MicroOp::Lock { .. } => self.words([19, key]),
            MicroOp::Unlock { .. } => self.words([20, key]),
            MicroOp::Generate { result, .. } => {
                self.words([21, key]);
                self.numbers(result.as_ref().map(std::slice::from_ref));
            }
            MicroOp::Transfer { to, amount, .. } => {
                self.words([22, key, to as u64, amount as u64]);
            }
        }
    }

    fn numbers(&mut self, numbers: Option<&[Value]>) {
        self.word(numbers.map_or(0, |it| 1 + it.len() as u64));
        for &number in numbers.unwrap_or_default() {
            self.word(number as u64);
        }
    }

    fn result(&mut self, result: Option<Reading>) {
        match result {
            None => self.word(0),
            Some(Reading::Nil) => self.word(1),
            Some(Reading::Value(value)) => self.words([2, value as u64]),
        }
    }

    fn fault(&mut self, event: &FaultEvent) {
        let FaultEvent { time_ns, fault, stage, name, nodes, detail } = event;
        self.words([100, *time_ns, u64::from(*fault), *stage as u64]);
        self.text(name);
        self.word(nodes.len() as u64);
        for node in nodes {
            self.word(node.0.into());
        }
        self.text(detail);
    }

    fn node(&mut self, node: Option<NodeId>) {
        self.word(node.map_or(0, |node| 1 + u64::from(node.0)));
    }

    fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    fn words<const N: usize>(&mut self, words: [u64; N]) {
        for word in words {
            self.word(word);
        }
    }

    fn word(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

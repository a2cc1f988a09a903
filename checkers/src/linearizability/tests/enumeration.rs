//! All small histories of an object.

use perjury_history::OperationId;

use super::super::object::Call;

/// What histories are made of.
pub(super) struct Enumeration<'a, O> {
    /// How many operations each history has.
    pub(super) operations: usize,
    /// How many that return may be open at a time.
    pub(super) open: usize,
    /// Operations with their answers.
    pub(super) answered: &'a [O],
    /// Operations of unknown outcome.
    pub(super) unknown: &'a [O],
    /// Whether a history may begin so: of those that differ only in what values are called, one is
    /// enough.
    pub(super) is_first: &'a dyn Fn(&[Call<O>]) -> bool,
}

impl<O: Clone> Enumeration<'_, O> {
    /// Calls `each` with every history.
    pub(super) fn each(&self, each: &mut dyn FnMut(&Vec<Call<O>>)) {
        self.extend(&mut Vec::new(), 0, each);
    }

    fn extend(&self, calls: &mut Vec<Call<O>>, position: u32, each: &mut dyn FnMut(&Vec<Call<O>>)) {
        const OPEN: Option<u32> = Some(u32::MAX);
        let open: Vec<usize> =
            (0..calls.len()).filter(|index| calls[*index].returned == OPEN).collect();
        if calls.len() == self.operations && open.is_empty() {
            each(calls);
            return;
        }
        for &index in &open {
            calls[index].returned = Some(position);
            self.extend(calls, position + 1, each);
            calls[index].returned = OPEN;
        }
        if calls.len() == self.operations {
            return;
        }
        let answered = if open.len() < self.open { self.answered } else { &[] };
        let answered = answered.iter().map(|operation| (operation, OPEN));
        for (operation, returned) in answered.chain(self.unknown.iter().map(|it| (it, None))) {
            let (id, operation) = (OperationId(calls.len() as u32), operation.clone());
            calls.push(Call { id, operation, invoked: position, returned });
            if (self.is_first)(calls) {
                self.extend(calls, position + 1, each);
            }
            calls.pop();
        }
    }
}

//! What the simulated store holds: objects of every kind, all of them perfect.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use perjury_history::{Elements, Key, MicroOp, Reading, Value, Version};

/// What one key holds. A key that is used as two kinds of object is two objects.
#[derive(Clone, Debug, Default)]
struct Object {
    register: Option<Value>,
    set: BTreeSet<Value>,
    counter: Value,
    /// The token of the holder.
    lock: Option<Value>,
    list: Vec<Value>,
    queue: VecDeque<Value>,
    stack: Vec<Value>,
    is_locked: bool,
    last_id: Value,
    /// Of the last change.
    version: Option<Version>,
}

#[derive(Debug, Default)]
pub(super) struct Objects {
    objects: BTreeMap<Key, Object>,
    /// How many changes there were.
    last_position: u64,
}

impl Objects {
    /// All micro-operations or none; returns the version that was written or read last, or why it
    /// was refused.
    pub(super) fn apply(
        &mut self,
        micro_ops: &mut [MicroOp],
    ) -> Result<Option<Version>, &'static str> {
        // A single one that is refused has changed nothing.
        let before: BTreeMap<Key, Object> = match &*micro_ops {
            [_] => BTreeMap::new(),
            several => {
                let keys = several.iter().flat_map(keys);
                keys.map(|key| (key, self.objects.get(&key).cloned().unwrap_or_default())).collect()
            }
        };
        let position = self.last_position;
        let mut last_version = None;
        for micro_op in micro_ops {
            match self.apply_one(micro_op) {
                Ok(version) => last_version = version,
                Err(refused) => {
                    self.objects.extend(before);
                    self.last_position = position;
                    return Err(refused);
                }
            }
        }
        Ok(last_version)
    }

    fn apply_one(&mut self, micro_op: &mut MicroOp) -> Result<Option<Version>, &'static str> {
        let version = Version { epoch: 1, position: self.last_position + 1 };
        if let MicroOp::Transfer { from, to, amount } = *micro_op {
            self.transfer(from, to, amount, version)?;
        }
        let object = self.objects.entry(micro_op.key()).or_default();
        match micro_op {
            MicroOp::Read { result, .. } | MicroOp::Inspect { result, .. } => {
                *result = Some(Reading::from(object.register));
            }
            MicroOp::Write { value, .. } => object.register = Some(*value),
            MicroOp::Cas { old, new, .. } => match object.register == Some(*old) {
                true => object.register = Some(*new),
                false => return Err("the register holds another value"),
            },
            MicroOp::Add { value, .. } => drop(object.set.insert(*value)),
            MicroOp::ReadSet { result, .. } | MicroOp::InspectSet { result, .. } => {
                *result = Some(object.set.iter().copied().collect::<Elements>());
            }
            MicroOp::Increment { delta, .. } => {
                object.counter = object.counter.wrapping_add(*delta);
            }
            MicroOp::ReadCounter { result, .. } | MicroOp::InspectCounter { result, .. } => {
                *result = Some(object.counter);
            }
            MicroOp::Acquire { token, .. } => match object.lock {
                Some(_) => return Err("another holds the lock"),
                None => {
                    object.lock = Some(version.position as Value);
                    *token = object.lock;
                }
            },
            MicroOp::Release { token, .. } => match object.lock == Some(*token) {
                true => object.lock = None,
                false => return Err("the lock is not held with this token"),
            },
            MicroOp::Append { value, .. } => object.list.push(*value),
            MicroOp::ReadList { result, .. } => *result = Some(object.list.as_slice().into()),
            MicroOp::Enqueue { value, .. } => object.queue.push_back(*value),
            MicroOp::Dequeue { result, .. } => *result = Some(object.queue.pop_front().into()),
            MicroOp::Push { value, .. } => object.stack.push(*value),
            MicroOp::Pop { result, .. } => *result = Some(object.stack.pop().into()),
            MicroOp::Lock { .. } | MicroOp::Unlock { .. } => {
                let locks = matches!(micro_op, MicroOp::Lock { .. });
                if object.is_locked == locks {
                    return Err("the mutex is not free, or not held");
                }
                object.is_locked = locks;
            }
            MicroOp::Generate { result, .. } => {
                object.last_id += 1;
                *result = Some(object.last_id);
            }
            MicroOp::Transfer { .. } => {}
        }
        if micro_op.is_mutation() {
            self.last_position = version.position;
            object.version = Some(version);
        }
        Ok(object.version)
    }

    fn transfer(
        &mut self,
        from: Key,
        to: Key,
        amount: Value,
        version: Version,
    ) -> Result<(), &'static str> {
        let balance = |objects: &Self, key| objects.objects.get(&key).and_then(|it| it.register);
        match (balance(self, from), balance(self, to)) {
            (Some(held), Some(_)) if held >= amount => {}
            _ => return Err("the account is missing or holds less"),
        }
        for (key, change) in [(from, amount.wrapping_neg()), (to, amount)] {
            let account = self.objects.entry(key).or_default();
            account.register = account.register.map(|held| held.wrapping_add(change));
            account.version = Some(version);
        }
        Ok(())
    }
}

fn keys(micro_op: &MicroOp) -> impl Iterator<Item = Key> {
    let to = match *micro_op {
        MicroOp::Transfer { to, .. } => Some(to),
        _ => None,
    };
    [micro_op.key()].into_iter().chain(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_happens_whole_or_not_at_all() {
        let mut objects = Objects::default();
        let acquired = &mut [MicroOp::acquire(1), MicroOp::Add { key: 2, value: 3 }];
        objects.apply(acquired).expect("it is free");
        assert_eq!(acquired[0], MicroOp::Acquire { key: 1, token: Some(1) });
        let refused = &mut [MicroOp::Add { key: 2, value: 4 }, MicroOp::acquire(1)];
        assert_eq!(objects.apply(refused), Err("another holds the lock"));
        let read = &mut [MicroOp::read_set(2)];
        assert_eq!(objects.apply(read), Ok(Some(Version { epoch: 1, position: 2 })));
        assert_eq!(read[0], MicroOp::ReadSet { key: 2, result: Some([3].into()) });
    }
}

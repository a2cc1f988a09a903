//! What proves a verdict, for whoever believes neither the store nor us.

use perjury_history::{History, Key, OperationId};
use serde::{Deserialize, Serialize};

use super::keys::{self, Answer, Part};
use super::object::{Call, cut};
use super::verify::{STEPS_MAX, Unconfirmed};
use super::{Linearizability, SequentialObject, verify};
use crate::Context;

/// The proof of what was decided of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The object's key; `None` if it spans all keys.
    pub key: Option<Key>,
    /// The proof.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// An order of operations, or operations that have none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Evidence {
    /// Done one after the other, these answer as they did. Operations of unknown outcome that are
    /// missing did not happen.
    Valid {
        /// The operations.
        order: Vec<OperationId>,
    },
    /// These contradict each other by themselves.
    Invalid {
        /// The operations, by order of invocation.
        core: Vec<CoreOperation>,
    },
}

/// An operation of a contradiction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoreOperation {
    /// The operation.
    pub operation: OperationId,
    /// Whether that it ended matters. If not, it may be taken for one of unknown outcome.
    pub ended: bool,
}

impl<M: SequentialObject> Linearizability<M> {
    /// Decides a history and proves what it can: a certificate for every object that is decided.
    pub fn certify(&self, history: &History, context: &Context<'_>) -> Vec<Certificate> {
        let parts = Part::all(&self.object, history);
        let found = keys::decide(&self.object, history, &parts, context);
        let mut shrink_steps_left = super::SHRINK_STEPS_ALL;
        let each = parts.iter().zip(found).filter_map(|(part, finding)| {
            let evidence = match finding.answer {
                Answer::Linearizable(order) => Evidence::Valid { order },
                Answer::Contradiction { position, evidence, .. } => {
                    let left = &mut shrink_steps_left;
                    let core = keys::core(&self.object, context, evidence, position, left);
                    let piece = |call: &Call<M::Operation>| CoreOperation {
                        operation: call.id,
                        ended: call.returned.is_some(),
                    };
                    Evidence::Invalid { core: core.iter().map(piece).collect() }
                }
                _ => return None,
            };
            Some(Certificate { key: part.key(), evidence })
        });
        each.collect()
    }

    /// Replays a certificate without anything that was used to find it. An order takes O(n); a
    /// contradiction as long as trying every order of its few operations.
    ///
    /// # Errors
    /// Why it proves nothing about this history.
    pub fn verify(&self, history: &History, certificate: &Certificate) -> Result<(), String> {
        let parts = Part::all(&self.object, history);
        let part = parts.iter().find(|part| part.key() == certificate.key);
        let part = part.ok_or("expected a key of the history, found another")?;
        let calls = keys::calls(&self.object, history, part)?;
        let place = |id: OperationId| {
            let place = calls.binary_search_by_key(&id, |call| call.id);
            place.map_err(|_| format!("expected operations that tell something, found {id}"))
        };
        match &certificate.evidence {
            Evidence::Valid { order } => {
                let order = order.iter().map(|id| place(*id).map(|place| place as u32));
                verify::order(&self.object, &calls, &order.collect::<Result<Vec<_>, _>>()?)
            }
            Evidence::Invalid { core } => {
                let mut kept = Vec::new();
                for piece in core {
                    let call = &calls[place(piece.operation)?];
                    let returned = call.returned.filter(|_| piece.ended);
                    if piece.ended && returned.is_none() {
                        let told = "expected an operation that ended, found that of";
                        return Err(format!("{told} {} unknown", piece.operation));
                    }
                    kept.push(Call { returned, ..call.clone() });
                }
                self.check_removal(&calls, &kept)?;
                verify::contradiction(&self.object, &kept, STEPS_MAX).map_err(|why| match why {
                    Unconfirmed::Refuted => "there is an order of these operations".to_owned(),
                    Unconfirmed::TooLong => {
                        format!("it takes more than {STEPS_MAX} steps to replay")
                    }
                })
            }
        }
    }

    /// What was left out of a contradiction may be left out: without it the rest would have an order
    /// if all had.
    fn check_removal(
        &self,
        calls: &[Call<M::Operation>],
        kept: &[Call<M::Operation>],
    ) -> Result<(), String> {
        let last =
            kept.iter().filter_map(|call| Some((call.returned?, call))).max_by_key(|it| it.0);
        let (position, failing) = last.ok_or("expected an operation that ended, found none")?;
        let part = self.object.part(&failing.operation);
        let mut until = cut(calls, position);
        until.retain(|call| self.object.part(&call.operation) == part);
        let is_kept = |call: &Call<_>| kept.iter().any(|it| it.id == call.id);
        let mut gone: Vec<bool> = until.iter().map(|call| !is_kept(call)).collect();
        self.object.close_removal(&until, &mut gone);
        match until.iter().zip(&gone).find(|(call, gone)| **gone && is_kept(call)) {
            Some((call, _)) => Err(format!(
                "operation {} cannot be kept without others that were left out",
                call.id
            )),
            None => Ok(()),
        }
    }
}

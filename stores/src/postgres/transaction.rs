//! Transactions of several statements.
//!
//! All statements take one connection, which is not replaced in between: on another one they would
//! be transactions of their own. Nothing is committed before `commit` is sent, so whatever goes wrong
//! until then has certainly not happened; of `commit` itself an error means what it means of a
//! single statement.
//!
//! A transfer does what a program does that knows no better: it reads the balance, looks whether it
//! suffices, and writes the new one. What others do in between is for the isolation level to forbid.

use perjury_history::{Key, MicroOp, Value};
use tokio::time::Instant;

use super::classify::Problem;
use super::client::{PostgresClient, Route};
use super::request::{Purpose, READ_REGISTER, Request, WRITE_REGISTER, answered, column, request};
use super::settings::{Isolation, Writes};
use crate::Answer;

const COMMIT: &str = "commit";

const ROLLBACK: &str = "rollback";

/// Standbys know no `serializable`; what only reads there sees one snapshot.
fn begin(isolation: Isolation, route: Route, mutates: bool) -> &'static str {
    match isolation {
        Isolation::ReadCommitted => "begin isolation level read committed",
        Isolation::Serializable if route == Route::Primary || mutates => {
            "begin isolation level serializable"
        }
        Isolation::RepeatableRead | Isolation::Serializable => {
            "begin isolation level repeatable read"
        }
    }
}

impl PostgresClient {
    /// Executes all or nothing.
    pub(super) async fn transact(&mut self, operation: &[MicroOp], deadline: Instant) -> Answer {
        let mutates = operation.iter().any(MicroOp::is_mutation);
        let route = match (mutates, self.settings.writes) {
            (true, Writes::Primary) => Ok(Route::Primary),
            (true, Writes::Node) => Ok(Route::Own),
            (false, _) => self.read_route(deadline).await,
        };
        let route = match route {
            Ok(route) => route,
            Err(problem) => return Answer::Fail(problem.to_string()),
        };
        let begin = begin(self.settings.isolation, route, mutates);
        let begun = self.run(route, begin, &[], deadline).await;
        let done = match begun {
            Ok(_) => self.steps(route, operation, deadline).await,
            Err(problem) => Err(problem),
        };
        let done = match done {
            Ok(done) => done,
            Err(problem) => {
                self.roll_back(route, deadline).await;
                return Answer::Fail(problem.to_string());
            }
        };
        match self.run_here(route, COMMIT, &[], deadline).await {
            Ok((node, _)) => {
                if mutates {
                    self.note_write(route, deadline).await;
                }
                // Each row has a version of its own, and the transaction none.
                Answer::Ok { micro_ops: done, node: Some(node), version: None }
            }
            Err(problem) => problem.answer(mutates),
        }
    }

    async fn steps(
        &mut self,
        route: Route,
        operation: &[MicroOp],
        deadline: Instant,
    ) -> Result<Vec<MicroOp>, Problem> {
        let mut done = Vec::with_capacity(operation.len());
        for micro_op in operation {
            if let MicroOp::Transfer { from, to, amount } = *micro_op {
                self.change(route, from, -i128::from(amount), deadline).await?;
                self.change(route, to, amount.into(), deadline).await?;
                done.push(micro_op.clone());
                continue;
            }
            let Request { purpose, statement, parameters } = request(micro_op)?;
            if purpose == Purpose::Inspect {
                return Err(Problem::NotOffered);
            }
            let (_, rows) = self.run_here(route, statement, &parameters, deadline).await?;
            if purpose == Purpose::Read {
                self.note_read(&rows)?;
            }
            done.push(answered(micro_op, &rows)?.0);
        }
        Ok(done)
    }

    /// Adds to an account, or takes from it if it holds so much.
    async fn change(
        &mut self,
        route: Route,
        account: Key,
        by: i128,
        deadline: Instant,
    ) -> Result<(), Problem> {
        let (_, rows) = self.run_here(route, READ_REGISTER, &[account], deadline).await?;
        let row = rows.first().ok_or(Problem::Unintelligible)?;
        let held: Option<Value> = column(row, 0)?;
        let balance = i128::from(held.ok_or(Problem::Mismatch)?) + by;
        let balance = Value::try_from(balance).map_err(|_| Problem::Mismatch)?;
        if by < 0 && balance < 0 {
            return Err(Problem::Mismatch);
        }
        self.run_here(route, WRITE_REGISTER, &[account, balance], deadline).await?;
        Ok(())
    }

    /// A connection that cannot be used again ends, and the transaction with it.
    async fn roll_back(&mut self, route: Route, deadline: Instant) {
        if self.run_here(route, ROLLBACK, &[], deadline).await.is_err() {
            self.give_up(route, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standby_is_never_asked_for_serializable_reads() {
        let levels = [
            (Isolation::ReadCommitted, "read committed", "read committed"),
            (Isolation::RepeatableRead, "repeatable read", "repeatable read"),
            (Isolation::Serializable, "serializable", "repeatable read"),
        ];
        for (isolation, primary, standby) in levels {
            let ends = |statement: &str, level: &str| {
                statement.strip_prefix("begin isolation level ") == Some(level)
            };
            assert!(ends(begin(isolation, Route::Primary, false), primary));
            assert!(ends(begin(isolation, Route::Primary, true), primary));
            assert!(ends(begin(isolation, Route::Own, true), primary));
            assert!(ends(begin(isolation, Route::Own, false), standby));
        }
    }
}

//! The vocabulary as commands of Redis, and their answers.
//!
//! Whatever compares before it writes is a script, which Redis executes as one command. (The other
//! way, `WATCH` and `MULTI`, takes three round trips and fails whenever anybody touched the key.)
//! Writes of registers are scripts too: they tell in the same step where in the replication stream
//! they stand.

use perjury_history::{Key, MicroOp, Reading};
use redis::{Cmd, FromRedisValue, Value, cmd, from_redis_value};

use super::failure::Failure;
use super::lineage::Position;

/// Both say whether it was done, and what the server said of its replication then.
const WRITE: &str = "redis.call('SET', KEYS[1], ARGV[1])
return {1, redis.call('INFO', 'replication')}";
const CAS: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, ''} end
redis.call('SET', KEYS[1], ARGV[2])
return {1, redis.call('INFO', 'replication')}";

/// What came of a request that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// It happened; the operation with its answer.
    Done(MicroOp, Option<Position>),
    /// It did not, and why.
    Not(&'static str),
}

/// Whether it changes what the store holds.
pub(super) fn mutates(micro_op: &MicroOp) -> bool {
    !matches!(micro_op, MicroOp::Read { .. } | MicroOp::Inspect { .. })
}

/// The command for it.
pub(super) fn command(micro_op: &MicroOp) -> Cmd {
    let mut command;
    match micro_op {
        MicroOp::Read { key, .. } | MicroOp::Inspect { key, .. } => {
            command = cmd("GET");
            command.arg(register(*key));
        }
        MicroOp::Write { key, value } => {
            command = script(WRITE, &[register(*key)]);
            command.arg(value);
        }
        MicroOp::Cas { key, old, new } => {
            command = script(CAS, &[register(*key)]);
            command.arg(old).arg(new);
        }
    }
    command
}

fn script(text: &str, keys: &[String]) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(text).arg(keys.len()).arg(keys);
    command
}

fn register(key: Key) -> String {
    format!("register:{key}")
}

/// What an answer means.
///
/// # Errors
/// If it is not an answer to this question.
pub(super) fn answered(micro_op: &MicroOp, answer: Value) -> Result<Answered, Failure> {
    Ok(match *micro_op {
        MicroOp::Read { key, .. } => {
            let result = Some(Reading::from(parse::<Option<i64>>(answer)?));
            Answered::Done(MicroOp::Read { key, result }, None)
        }
        MicroOp::Inspect { key, .. } => {
            let result = Some(Reading::from(parse::<Option<i64>>(answer)?));
            Answered::Done(MicroOp::Inspect { key, result }, None)
        }
        MicroOp::Write { .. } | MicroOp::Cas { .. } => match parse::<(bool, String)>(answer)? {
            (true, replication) => Answered::Done(*micro_op, Position::told(&replication)),
            (false, _) => Answered::Not("mismatch"),
        },
    })
}

fn parse<T: FromRedisValue>(answer: Value) -> Result<T, Failure> {
    let stray = |_| Failure::Unanswered("an answer to another question".to_owned());
    from_redis_value(answer).map_err(stray)
}

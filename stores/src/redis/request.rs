//! The vocabulary as commands of Redis, and their answers.
//!
//! | object | held as |
//! |---|---|
//! | register | a string; written by a script that tells where in the replication stream it stands |
//! | set | a set (`SADD`, `SMEMBERS`) |
//! | counter | a string (`INCRBY`, `GET`) |
//! | lock | a string that expires, with its fencing token; the last token in a string that does not |
//!
//! Whatever compares before it writes is a script, which Redis executes as one command. (The other
//! way, `WATCH` and `MULTI`, takes three round trips and fails whenever anybody touched the key.)

use perjury_history::{Key, MicroOp, Reading};
use redis::{Cmd, FromRedisValue, Value, cmd, from_redis_value};

use super::failure::Failure;
use super::lineage::Position;

/// This and [`CAS`] say whether it was done, and what the server says of its replication.
const WRITE: &str = "redis.call('SET', KEYS[1], ARGV[1])
return {1, redis.call('INFO', 'replication')}";

const CAS: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0, ''} end
redis.call('SET', KEYS[1], ARGV[2])
return {1, redis.call('INFO', 'replication')}";

/// A token, or nothing if somebody holds the lock.
const ACQUIRE: &str = "if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local token = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], token, 'PX', ARGV[1])
return token";

/// Whether it was held with that token.
const RELEASE: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])";

/// The functions that there are.
pub(super) const FUNCTIONS: [&str; 12] = [
    "read",
    "write",
    "cas",
    "inspect",
    "add",
    "read-set",
    "inspect-set",
    "increment",
    "read-counter",
    "inspect-counter",
    "acquire",
    "release",
];

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
    let reads = matches!(
        micro_op,
        MicroOp::Read { .. } | MicroOp::ReadSet { .. } | MicroOp::ReadCounter { .. }
    );
    !reads && !inspects(micro_op)
}

/// Whether it asks what the node itself holds.
pub(super) fn inspects(micro_op: &MicroOp) -> bool {
    matches!(
        micro_op,
        MicroOp::Inspect { .. } | MicroOp::InspectSet { .. } | MicroOp::InspectCounter { .. }
    )
}

/// The command for it; a lock is held for `lease_ms` unless it is released.
///
/// # Errors
/// If clients do not offer it.
pub(super) fn command(micro_op: &MicroOp, lease_ms: u64) -> Result<Cmd, Failure> {
    let plain = |name: &str, key: String| {
        let mut command = cmd(name);
        command.arg(key);
        command
    };
    let mut command = match micro_op {
        MicroOp::Read { key, .. } | MicroOp::Inspect { key, .. } => plain("GET", register(*key)),
        MicroOp::Write { key, .. } => script(WRITE, &[register(*key)]),
        MicroOp::Cas { key, .. } => script(CAS, &[register(*key)]),
        MicroOp::Add { key, .. } => plain("SADD", format!("set:{key}")),
        MicroOp::ReadSet { key, .. } | MicroOp::InspectSet { key, .. } => {
            plain("SMEMBERS", format!("set:{key}"))
        }
        MicroOp::Increment { key, .. } => plain("INCRBY", counter(*key)),
        MicroOp::ReadCounter { key, .. } | MicroOp::InspectCounter { key, .. } => {
            plain("GET", counter(*key))
        }
        MicroOp::Acquire { key, .. } => script(ACQUIRE, &[lock(*key), format!("token:{key}")]),
        MicroOp::Release { key, .. } => script(RELEASE, &[lock(*key)]),
        other => return Err(Failure::Unasked(format!("this client has no {}", other.function()))),
    };
    match micro_op {
        MicroOp::Write { value, .. } | MicroOp::Add { value, .. } => command.arg(value),
        MicroOp::Cas { old, new, .. } => command.arg(old).arg(new),
        MicroOp::Increment { delta, .. } => command.arg(delta),
        MicroOp::Acquire { .. } => command.arg(lease_ms),
        MicroOp::Release { token, .. } => command.arg(token),
        _ => &mut command,
    };
    Ok(command)
}

fn script(text: &str, keys: &[String]) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(text).arg(keys.len()).arg(keys);
    command
}

fn register(key: Key) -> String {
    format!("register:{key}")
}

fn counter(key: Key) -> String {
    format!("counter:{key}")
}

fn lock(key: Key) -> String {
    format!("lock:{key}")
}

/// What an answer means.
///
/// # Errors
/// If it is not an answer to this question.
pub(super) fn answered(micro_op: &MicroOp, answer: Value) -> Result<Answered, Failure> {
    let mut done = micro_op.clone();
    match &mut done {
        MicroOp::Read { result, .. } | MicroOp::Inspect { result, .. } => {
            *result = Some(Reading::from(parse::<Option<i64>>(answer)?));
        }
        MicroOp::ReadSet { result, .. } | MicroOp::InspectSet { result, .. } => {
            *result = Some(parse::<Vec<i64>>(answer)?.into());
        }
        MicroOp::ReadCounter { result, .. } | MicroOp::InspectCounter { result, .. } => {
            *result = Some(parse::<Option<i64>>(answer)?.unwrap_or(0));
        }
        MicroOp::Write { .. } | MicroOp::Cas { .. } => {
            let (is_done, replication) = parse::<(bool, String)>(answer)?;
            return Ok(match is_done {
                true => Answered::Done(done, Position::told(&replication)),
                false => Answered::Not("mismatch"),
            });
        }
        MicroOp::Add { .. } | MicroOp::Increment { .. } => {
            parse::<i64>(answer)?;
        }
        MicroOp::Acquire { token, .. } => match parse::<Option<i64>>(answer)? {
            Some(given) => *token = Some(given),
            None => return Ok(Answered::Not("held by another")),
        },
        // Of the rest, only a release gets this far: nothing else is asked.
        _ => {
            if !parse::<bool>(answer)? {
                return Ok(Answered::Not("not held with this token"));
            }
        }
    }
    Ok(Answered::Done(done, None))
}

fn parse<T: FromRedisValue>(answer: Value) -> Result<T, Failure> {
    let stray = |_| Failure::Unanswered("an answer to another question".to_owned());
    from_redis_value(answer).map_err(stray)
}

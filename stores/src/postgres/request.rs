//! The vocabulary as statements, and rows as answers.
//!
//! Each statement is a transaction of its own, unless several are one. What mutates returns the epoch and the position that
//! the row has now, and no row if it did not happen. What reads returns one row: the value, the epoch
//! and position of its write, and how far the node's log went when the read was made. All that was
//! seen lies before that place.

use perjury_history::{MicroOp, Reading, Value, Version};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::classify::Problem;

/// Where a node's log ends: what a primary has written, or a standby replayed.
macro_rules! log_end {
    () => {
        "(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() \
         else pg_current_wal_insert_lsn() end - '0/0'::pg_lsn)::bigint"
    };
}

/// One row: where the node's log ends.
pub(super) const LOG_END: &str = concat!("select ", log_end!());

/// One row: the timeline of a primary, null on a standby.
pub(super) const LEADS: &str = "select case when not pg_is_in_recovery() then log_epoch() end";

pub(super) const REPEATABLE_READ: &str =
    "set session characteristics as transaction isolation level repeatable read";

pub(super) const SERIALIZABLE: &str =
    "set session characteristics as transaction isolation level serializable";

pub(super) const READ_REGISTER: &str = concat!(
    "select r.value, r.epoch, r.position, ",
    log_end!(),
    " from (select 1) as one left join registers r on r.key = $1"
);

pub(super) const WRITE_REGISTER: &str = "\
insert into registers (key, value) values ($1, $2)
on conflict (key) do update set value = excluded.value, epoch = default, position = default
returning epoch, position";

const CAS_REGISTER: &str = "\
update registers set value = $3, epoch = default, position = default
where key = $1 and value = $2 returning epoch, position";

const READ_SET: &str = concat!(
    "select coalesce(array_agg(value), '{}'), null::bigint, null::bigint, ",
    log_end!(),
    " from elements where key = $1"
);

/// What is in the set already is not added, and returns what was there.
const ADD: &str = "\
insert into elements (key, value) values ($1, $2)
on conflict (key, value) do update set value = excluded.value
returning epoch, position";

const READ_COUNTER: &str = concat!(
    "select coalesce(c.value, 0), c.epoch, c.position, ",
    log_end!(),
    " from (select 1) as one left join counters c on c.key = $1"
);

const INCREMENT: &str = "\
insert into counters (key, value) values ($1, $2)
on conflict (key) do update
set value = counters.value + excluded.value, epoch = default, position = default
returning epoch, position";

const READ_LIST: &str = concat!(
    "select coalesce(l.value, '{}'), l.epoch, l.position, ",
    log_end!(),
    " from (select 1) as one left join lists l on l.key = $1"
);

const APPEND: &str = "\
insert into lists (key, value) values ($1, array[$2])
on conflict (key) do update
set value = lists.value || excluded.value, epoch = default, position = default
returning epoch, position";

/// The functions that clients offer in one statement each.
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
    "append",
    "read-list",
];

/// What an operation is to the routing of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It changes something.
    Mutate,
    /// A client's read.
    Read,
    /// A look at what the asked node itself holds.
    Inspect,
}

/// A statement with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) purpose: Purpose,
    pub(super) statement: &'static str,
    pub(super) parameters: Vec<Value>,
}

/// What to ask of the server.
///
/// # Errors
/// If clients do not offer it.
pub(super) fn request(micro_op: &MicroOp) -> Result<Request, Problem> {
    let (purpose, statement, parameters) = match *micro_op {
        MicroOp::Read { key, .. } => (Purpose::Read, READ_REGISTER, vec![key]),
        MicroOp::Inspect { key, .. } => (Purpose::Inspect, READ_REGISTER, vec![key]),
        MicroOp::Write { key, value } => (Purpose::Mutate, WRITE_REGISTER, vec![key, value]),
        MicroOp::Cas { key, old, new } => (Purpose::Mutate, CAS_REGISTER, vec![key, old, new]),
        MicroOp::ReadSet { key, .. } => (Purpose::Read, READ_SET, vec![key]),
        MicroOp::InspectSet { key, .. } => (Purpose::Inspect, READ_SET, vec![key]),
        MicroOp::Add { key, value } => (Purpose::Mutate, ADD, vec![key, value]),
        MicroOp::ReadCounter { key, .. } => (Purpose::Read, READ_COUNTER, vec![key]),
        MicroOp::InspectCounter { key, .. } => (Purpose::Inspect, READ_COUNTER, vec![key]),
        MicroOp::Increment { key, delta } => (Purpose::Mutate, INCREMENT, vec![key, delta]),
        MicroOp::Append { key, value } => (Purpose::Mutate, APPEND, vec![key, value]),
        MicroOp::ReadList { key, .. } => (Purpose::Read, READ_LIST, vec![key]),
        _ => return Err(Problem::NotOffered),
    };
    Ok(Request { purpose, statement, parameters })
}

/// The operation with its answer, and the version of what was written or read.
///
/// # Errors
/// If a comparison did not hold, or the rows are not what was asked for.
pub(super) fn answered(
    micro_op: &MicroOp,
    rows: &[Row],
) -> Result<(MicroOp, Option<Version>), Problem> {
    let row = match (micro_op, rows) {
        (MicroOp::Cas { .. }, []) => return Err(Problem::Mismatch),
        (_, []) => return Err(Problem::Unintelligible),
        (_, [row, ..]) => row,
    };
    let answered = match *micro_op {
        MicroOp::Read { key, .. } => {
            let value: Option<Value> = column(row, 0)?;
            MicroOp::Read { key, result: Some(Reading::from(value)) }
        }
        MicroOp::Inspect { key, .. } => {
            let value: Option<Value> = column(row, 0)?;
            MicroOp::Inspect { key, result: Some(Reading::from(value)) }
        }
        MicroOp::ReadSet { key, .. } => {
            MicroOp::ReadSet { key, result: Some(column::<Vec<Value>>(row, 0)?.into()) }
        }
        MicroOp::InspectSet { key, .. } => {
            MicroOp::InspectSet { key, result: Some(column::<Vec<Value>>(row, 0)?.into()) }
        }
        MicroOp::ReadCounter { key, .. } => {
            MicroOp::ReadCounter { key, result: Some(column(row, 0)?) }
        }
        MicroOp::InspectCounter { key, .. } => {
            MicroOp::InspectCounter { key, result: Some(column(row, 0)?) }
        }
        MicroOp::ReadList { key, .. } => {
            MicroOp::ReadList { key, result: Some(column::<Vec<Value>>(row, 0)?.into()) }
        }
        _ => return Ok((micro_op.clone(), version(row, 0)?)),
    };
    Ok((answered, version(row, 1)?))
}

/// Where the log ended, of a statement that tells it in the last column of its first row.
pub(super) fn log_end(rows: &[Row]) -> Result<i64, Problem> {
    let row = rows.first().ok_or(Problem::Unintelligible)?;
    column(row, row.len() - 1)
}

/// A column of an answer.
pub(super) fn column<'a, T: FromSql<'a>>(row: &'a Row, index: usize) -> Result<T, Problem> {
    row.try_get(index).map_err(|_| Problem::Unintelligible)
}

/// Epoch and position stand in the column `from` and the one after; null if there is no row.
fn version(row: &Row, from: usize) -> Result<Option<Version>, Problem> {
    let epoch: Option<i64> = column(row, from)?;
    let position: Option<i64> = column(row, from + 1)?;
    let unsigned = |number: i64| u64::try_from(number).map_err(|_| Problem::Unintelligible);
    match epoch.zip(position) {
        Some((epoch, position)) => {
            Ok(Some(Version { epoch: unsigned(epoch)?, position: unsigned(position)? }))
        }
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_statement() {
        let all = [
            MicroOp::read(1),
            MicroOp::Write { key: 1, value: 2 },
            MicroOp::Cas { key: 1, old: 2, new: 3 },
            MicroOp::inspect(1),
            MicroOp::Add { key: 1, value: 2 },
            MicroOp::read_set(1),
            MicroOp::inspect_set(1),
            MicroOp::Increment { key: 1, delta: 2 },
            MicroOp::read_counter(1),
            MicroOp::inspect_counter(1),
            MicroOp::Append { key: 1, value: 2 },
            MicroOp::read_list(1),
        ];
        assert_eq!(all.each_ref().map(MicroOp::function), FUNCTIONS);
        for micro_op in all {
            let request = request(&micro_op).expect("it is offered");
            assert_eq!(request.purpose == Purpose::Mutate, micro_op.is_mutation());
        }
        assert_eq!(request(&MicroOp::acquire(1)), Err(Problem::NotOffered));
    }
}

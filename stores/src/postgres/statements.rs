//! The statements of clients.
//!
//! Each is a transaction of its own. What writes returns the epoch and the position that the row has
//! now; what reads returns those of the row it found, and in its last column how far the node's log
//! went when the read was made: all that was seen lies before.

/// Where a node's log ends: what a primary has written, or a standby replayed. The function is the
/// planner's to call only on the side that is taken.
macro_rules! position {
    () => {
        "(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() \
         else pg_current_wal_insert_lsn() end - '0/0'::pg_lsn)::bigint"
    };
}

/// `$1` is the key. One row, of nulls but for the last column if there is nothing.
pub(super) const READ_REGISTER: &str = concat!(
    "select r.value, r.epoch, r.position, ",
    position!(),
    " from (select 1) as one left join registers r on r.key = $1"
);

/// `$1` is the key, `$2` the value.
pub(super) const WRITE_REGISTER: &str = "\
insert into registers (key, value) values ($1, $2)
on conflict (key) do update set value = excluded.value, epoch = default, position = default
returning epoch, position";

/// `$1` is the key, `$2` the value it must hold and `$3` the one it then gets. No row if it does not.
pub(super) const CAS_REGISTER: &str = "\
update registers set value = $3, epoch = default, position = default
where key = $1 and value = $2 returning epoch, position";

/// One row with the position.
pub(super) const POSITION: &str = concat!("select ", position!());

/// One row: the timeline of a primary, null on a standby.
pub(super) const LEADS: &str = "select case when not pg_is_in_recovery() then log_epoch() end";

pub(super) const REPEATABLE_READ: &str =
    "set session characteristics as transaction isolation level repeatable read";

pub(super) const SERIALIZABLE: &str =
    "set session characteristics as transaction isolation level serializable";

//! Requests and answers of etcd's JSON gateway: keys and values are base64, whole numbers of 64
//! bits are text, and what is zero, false or empty is left out.
//!
//! | what | key | value |
//! |---|---|---|
//! | register 7 | `register/7` | its value, in decimal |
//! | counter 7 | `counter/7` | where it stands, in decimal |
//! | list 7 | `list/7` | its elements, in decimal, with spaces between them |
//! | element 5 of set 7 | `set/7/5` | nothing: an element is in the set if its key is there |
//! | lock 7 | `lock/7` | nothing: it is held if its key is there, and ends with its lease |

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use perjury_history::{Key, Value};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::gateway::CallError;
use super::settings::EtcdReads;

pub(super) const RANGE: &str = "/v3/kv/range";
pub(super) const PUT: &str = "/v3/kv/put";
pub(super) const TXN: &str = "/v3/kv/txn";
pub(super) const LEASE_GRANT: &str = "/v3/lease/grant";
pub(super) const STATUS: &str = "/v3/maintenance/status";
pub(super) const TRANSFER_LEADERSHIP: &str = "/v3/maintenance/transfer-leadership";
pub(super) const MEMBER_LIST: &str = "/v3/cluster/member/list";
pub(super) const MEMBER_ADD: &str = "/v3/cluster/member/add";
pub(super) const MEMBER_REMOVE: &str = "/v3/cluster/member/remove";

fn encode(text: &str) -> String {
    STANDARD.encode(text)
}

/// The key of a register.
pub(super) fn register(key: Key) -> String {
    format!("register/{key}")
}

/// What a transaction reads and puts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Register(Key),
    Counter(Key),
    List(Key),
    Set(Key),
}

impl Place {
    fn key(self) -> String {
        match self {
            Place::Register(key) => register(key),
            Place::Counter(key) => format!("counter/{key}"),
            Place::List(key) => format!("list/{key}"),
            Place::Set(key) => set(key),
        }
    }
}

/// The prefix of a set's elements.
fn set(key: Key) -> String {
    format!("set/{key}/")
}

/// The first key behind all that begin with the prefix: 0 follows the slash.
fn set_end(key: Key) -> String {
    format!("set/{key}0")
}

/// The key of a lock.
pub(super) fn lock(key: Key) -> String {
    format!("lock/{key}")
}

/// Reads a key.
pub(super) fn range(key: &str, reads: EtcdReads) -> serde_json::Value {
    json!({ "key": encode(key), "serializable": reads == EtcdReads::Serializable })
}

/// Sets a key.
pub(super) fn put(key: &str, value: Value) -> serde_json::Value {
    json!({ "key": encode(key), "value": encode(&value.to_string()) })
}

/// Sets a key if it has a certain value.
pub(super) fn compare_and_put(key: &str, old: Value, new: Value) -> serde_json::Value {
    let compare = json!({
        "key": encode(key),
        "target": "VALUE",
        "result": "EQUAL",
        "value": encode(&old.to_string()),
    });
    json!({ "compare": [compare], "success": [{ "request_put": put(key, new) }] })
}

/// Adds an element to a set.
pub(super) fn add(key: Key, element: Value) -> serde_json::Value {
    json!({ "key": encode(&format!("{}{element}", set(key))) })
}

/// Reads all elements of a set in one go.
pub(super) fn elements(key: Key, reads: EtcdReads) -> serde_json::Value {
    json!({
        "key": encode(&set(key)),
        "range_end": encode(&set_end(key)),
        "serializable": reads == EtcdReads::Serializable,
        "keys_only": true,
    })
}

/// Reads a place.
pub(super) fn range_of(place: Place, reads: EtcdReads) -> serde_json::Value {
    match place {
        Place::Set(key) => elements(key, reads),
        other => range(&other.key(), reads),
    }
}

/// Puts what a place is to hold; elements of sets are put one by one.
pub(super) fn put_at(place: Place, values: &[Value]) -> serde_json::Value {
    let values: Vec<_> = values.iter().map(Value::to_string).collect();
    json!({ "key": encode(&place.key()), "value": encode(&values.join(" ")) })
}

/// Holds if a place has not changed since it was read, at `revision`.
pub(super) fn unchanged(place: Place, read: &Range, revision: u64) -> serde_json::Value {
    match place {
        Place::Set(key) => json!({
            "key": encode(&set(key)),
            "range_end": encode(&set_end(key)),
            "target": "MOD",
            "result": "LESS",
            "mod_revision": (revision + 1).to_string(),
        }),
        other => json!({
            "key": encode(&other.key()),
            "target": "MOD",
            "result": "EQUAL",
            "mod_revision": read.kvs.first().map_or(0, |it| it.mod_revision).to_string(),
        }),
    }
}

/// Asks for a lease.
pub(super) fn grant(seconds: u64) -> serde_json::Value {
    json!({ "TTL": seconds.to_string() })
}

/// Makes a key that ends with the lease, if there is no such key.
pub(super) fn create(key: &str, lease: u64) -> serde_json::Value {
    let put = json!({ "key": encode(key), "lease": lease.to_string() });
    let compare = created(key, 0);
    json!({ "compare": [compare], "success": [{ "request_put": put }] })
}

/// Deletes a key if it is still the one that was created by this revision.
pub(super) fn delete(key: &str, revision: Value) -> serde_json::Value {
    let delete = json!({ "key": encode(key) });
    let compare = created(key, revision);
    json!({ "compare": [compare], "success": [{ "request_delete_range": delete }] })
}

/// Holds if a key was created by this revision; 0 stands for a key that is not there.
fn created(key: &str, revision: Value) -> serde_json::Value {
    json!({
        "key": encode(key),
        "target": "CREATE",
        "result": "EQUAL",
        "create_revision": revision.to_string(),
    })
}

/// Where the store stands after a request.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    #[serde(deserialize_with = "number")]
    pub(super) member_id: u64,
    /// Of the whole store: each transaction that changes something has the next one.
    #[serde(deserialize_with = "number")]
    pub(super) revision: u64,
}

/// What a write or a transaction is answered.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Written {
    pub(super) header: Header,
    /// Whether a transaction's comparisons held.
    #[serde(default)]
    pub(super) succeeded: bool,
}

/// What a read is answered.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Range {
    #[serde(default)]
    pub(super) kvs: Vec<KeyValue>,
}

impl Range {
    /// What a place held.
    pub(super) fn values(&self, place: Place) -> Result<Vec<Value>, CallError> {
        match (place, self.kvs.as_slice()) {
            (Place::Set(key), found) => found.iter().map(|it| it.element(key)).collect(),
            (_, []) => Ok(Vec::new()),
            (Place::List(_), [list, ..]) => list.list(),
            (_, [one, ..]) => Ok(vec![one.value()?]),
        }
    }
}

/// What a transaction of reads is answered.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Ranges {
    pub(super) header: Header,
    #[serde(default)]
    responses: Vec<Response>,
}

#[derive(Clone, Debug, Deserialize)]
struct Response {
    response_range: Range,
}

impl Ranges {
    /// As many as were asked for.
    pub(super) fn ranges(&self, count: usize) -> Result<impl Iterator<Item = &Range>, CallError> {
        match self.responses.len() == count {
            true => Ok(self.responses.iter().map(|it| &it.response_range)),
            false => Err(CallError::Unreadable),
        }
    }
}

/// A key with its value.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct KeyValue {
    key: String,
    #[serde(default)]
    value: String,
    /// The revision that wrote it.
    #[serde(deserialize_with = "number")]
    pub(super) mod_revision: u64,
}

impl KeyValue {
    /// The value that was written.
    pub(super) fn value(&self) -> Result<Value, CallError> {
        decimal(&self.value, "")
    }

    /// The elements of a list.
    fn list(&self) -> Result<Vec<Value>, CallError> {
        let text = decoded(&self.value)?;
        let elements = text.split(' ').map(|it| it.parse().map_err(|_| CallError::Unreadable));
        elements.collect()
    }

    /// The element of a set that the key stands for.
    pub(super) fn element(&self, key: Key) -> Result<Value, CallError> {
        decimal(&self.key, &set(key))
    }
}

/// The number that stands in base64 after a prefix.
fn decimal(encoded: &str, prefix: &str) -> Result<Value, CallError> {
    let text = decoded(encoded)?;
    let digits = text.strip_prefix(prefix).ok_or(CallError::Unreadable)?;
    digits.parse().map_err(|_| CallError::Unreadable)
}

fn decoded(encoded: &str) -> Result<String, CallError> {
    let bytes = STANDARD.decode(encoded).map_err(|_| CallError::Unreadable)?;
    String::from_utf8(bytes).map_err(|_| CallError::Unreadable)
}

/// A lease that was granted.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Lease {
    #[serde(rename = "ID", deserialize_with = "number")]
    pub(super) id: u64,
}

/// How a node sees itself and its cluster.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Status {
    pub(super) header: Header,
    /// The member that it takes for the leader; 0 if it knows none.
    #[serde(default, deserialize_with = "number")]
    pub(super) leader: u64,
    #[serde(default, rename = "raftTerm", deserialize_with = "number")]
    pub(super) term: u64,
}

impl Status {
    /// Whether it takes itself for the leader.
    pub(super) fn leads(&self) -> bool {
        self.leader != 0 && self.leader == self.header.member_id
    }
}

/// The members of a cluster.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Members {
    #[serde(default)]
    pub(super) members: Vec<Member>,
}

/// A member of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Member {
    #[serde(rename = "ID", deserialize_with = "number")]
    pub(super) id: u64,
    #[serde(default, rename = "peerURLs")]
    pub(super) peer_urls: Vec<String>,
}

/// A whole number that is written as text.
fn number<'de, D: Deserializer<'de>, N: FromStr>(deserializer: D) -> Result<N, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format!("expected a whole number, found `{text}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a, A: Deserialize<'a>>(answer: &'a str) -> A {
        serde_json::from_str(answer).expect("etcd's answer is read")
    }

    #[test]
    fn answers_of_etcd_3_4_are_read() {
        let range: Range = read(
            r#"{"header":{"cluster_id":"15118495548433857066","member_id":"13668033151171901709",
            "revision":"2","raft_term":"2"},"kvs":[{"key":"ci8x","create_revision":"2",
            "mod_revision":"2","version":"1","value":"NQ=="}],"count":"1"}"#,
        );
        assert_eq!(range.kvs[0].value(), Ok(5));
        assert_eq!(range.kvs[0].mod_revision, 2);
        let nothing: Range = read(r#"{"header":{"revision":"2"}}"#);
        assert!(nothing.kvs.is_empty());

        let mismatch: Written = read(r#"{"header":{"revision":"3","raft_term":"2"}}"#);
        assert!(!mismatch.succeeded);
        let written: Written = read(
            r#"{"header":{"revision":"3"},"succeeded":true,"responses":[{"response_put":
            {"header":{"revision":"3"}}}]}"#,
        );
        assert!(written.succeeded);
        assert_eq!(written.header.revision, 3);

        let ranges: Ranges = read(
            r#"{"header":{"revision":"9"},"succeeded":true,"responses":[
            {"response_range":{"header":{"revision":"9"},"kvs":[{"key":"bGlzdC83",
            "create_revision":"2","mod_revision":"8","version":"2","value":"MSAtMg=="}],
            "count":"1"}},{"response_range":{"header":{"revision":"9"}}}]}"#,
        );
        assert_eq!(ranges.header.revision, 9);
        assert!(ranges.ranges(3).is_err());
        let found: Vec<_> = ranges.ranges(2).expect("there are two").collect();
        assert_eq!(found[0].values(Place::List(7)), Ok(vec![1, -2]));
        assert_eq!(found[1].values(Place::Register(7)), Ok(vec![]));

        let status: Status = read(
            r#"{"header":{"member_id":"13668033151171901709","revision":"1"},"version":"3.4.23",
            "leader":"13668033151171901709","raftTerm":"2","raftAppliedIndex":"4"}"#,
        );
        assert!(status.leads());
        assert_eq!(status.term, 2);
        let lost: Status = read(r#"{"header":{"member_id":"7"},"raftTerm":"2"}"#);
        assert!(!lost.leads());
    }

    #[test]
    fn a_value_that_nobody_wrote_is_refused() {
        let pair = |key: &str, value: &str| KeyValue {
            key: encode(key),
            value: value.to_owned(),
            mod_revision: 1,
        };
        let value = |text: &str| pair("register/1", text).value();
        assert_eq!(value(&encode("-17")), Ok(-17));
        for foreign in ["", "NQ", &encode("five"), &encode("5 ")] {
            assert_eq!(value(foreign), Err(CallError::Unreadable), "{foreign}");
        }
        assert_eq!(pair("set/7/-5", "").element(7), Ok(-5));
        assert_eq!(pair("set/70/5", "").element(7), Err(CallError::Unreadable));
    }
}

//! What an error of etcd says of the operation that it answered.
//!
//! `fail` is for what certainly did not happen. etcd refuses most of what it refuses before it
//! proposes anything, and says so with a status code that stands for a refusal. Its other codes say
//! only that it does not know (it waited in vain for the entry that it had proposed) or that it
//! stopped, so there only the messages of this table are certain. The reading is that of etcd 3.4.

use super::gateway::CallError;
use crate::Answer;

/// Codes of gRPC that refuse: invalid argument, not found, permission denied, failed precondition,
/// out of range, not implemented, not authenticated.
const REFUSALS: [u32; 7] = [3, 5, 7, 9, 11, 12, 16];

/// What is said under other codes, but before anything is proposed. Not among them is "database
/// space exceeded": the write that crosses the limit is executed and refused at once.
const CERTAIN: [&str; 5] = [
    "etcdserver: too many requests",
    "etcdserver: not capable",
    "etcdserver: rpc not supported for learner",
    // By the leader itself, while it hands over, or by a node that knows no leader.
    "raft proposal dropped",
    "raft: raft proposal dropped",
];

/// Whether the operation may change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Reads,
    Changes,
}

/// The outcome of an operation whose request brought this error.
pub(super) fn classify(error: &CallError, effect: Effect) -> Answer {
    let certain = match error {
        CallError::Unsent(_) => true,
        CallError::Unanswered(_) | CallError::Unreadable => false,
        CallError::Answered { code, message } => {
            REFUSALS.contains(code) || CERTAIN.contains(&message.as_str())
        }
    };
    // A read changes nothing, so one that brought no answer did not happen.
    match certain || effect == Effect::Reads {
        true => Answer::Fail(error.to_string()),
        false => Answer::Info(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes and messages as etcd 3.4 gives them, and whether a write certainly did not happen.
    const ANSWERED: [(u32, &str, bool); 19] = [
        (2, "raft proposal dropped", true),
        (2, "etcdserver: too many requests", true),
        (2, "an error that nobody has heard of", false),
        (1, "context canceled", false),
        (3, "etcdserver: key is not provided", true),
        (3, "etcdserver: request is too large", true),
        (4, "context deadline exceeded", false),
        (5, "etcdserver: requested lease not found", true),
        (7, "etcdserver: permission denied", true),
        (8, "etcdserver: mvcc: database space exceeded", false),
        (9, "etcdserver: not leader", true),
        (14, "etcdserver: not capable", true),
        (14, "etcdserver: rpc not supported for learner", true),
        (14, "etcdserver: leader changed", false),
        (14, "etcdserver: server stopped", false),
        (14, "etcdserver: request timed out", false),
        (14, "etcdserver: request timed out, possibly due to previous leader failure", false),
        (14, "etcdserver: request timed out, possibly due to connection lost", false),
        (14, "transport is closing", false),
    ];

    #[test]
    fn a_write_fails_only_if_it_certainly_did_not_happen() {
        for (code, message, certain) in ANSWERED {
            let error = CallError::Answered { code, message: message.to_owned() };
            let answer = classify(&error, Effect::Changes);
            let expected = match certain {
                true => Answer::Fail(message.to_owned()),
                false => Answer::Info(message.to_owned()),
            };
            assert_eq!(answer, expected, "code {code}");
        }
        let connection = [
            (CallError::Unsent("connection refused"), true),
            (CallError::Unsent("connection lost before the request"), true),
            (CallError::Unanswered("connection lost"), false),
            (CallError::Unanswered("no answer in time"), false),
            (CallError::Unreadable, false),
        ];
        for (error, certain) in connection {
            let answer = classify(&error, Effect::Changes);
            assert_eq!(matches!(answer, Answer::Fail(_)), certain, "{error}");
        }
    }

    #[test]
    fn a_read_without_an_answer_did_not_happen() {
        let answered = ANSWERED
            .map(|(code, message, _)| CallError::Answered { code, message: message.to_owned() });
        let others = [CallError::Unanswered("no answer in time"), CallError::Unreadable];
        for error in answered.iter().chain(&others) {
            assert!(matches!(classify(error, Effect::Reads), Answer::Fail(_)), "{error}");
        }
    }
}

//! What is known of a request that brought no answer: the only place that decides between `fail`
//! and `info`.

use redis::RedisError;

use crate::Answer;

/// Why a request brought no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing was asked of a server that could have done it.
    Unasked(String),
    /// The server answered with an error.
    Refused {
        /// The first word of it.
        code: String,
        /// The rest.
        detail: String,
    },
    /// It was asked, and what became of it is not known.
    Unanswered(String),
}

/// The errors by which a server says that it has not begun to execute a command. Scripts here do
/// nothing before the command that may be refused, so this holds for them too.
const REFUSALS: [&str; 13] = [
    "BUSY",
    "CLUSTERDOWN",
    "ERR",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOAUTH",
    "NOPERM",
    "NOREPLICAS",
    "NOSCRIPT",
    "OOM",
    "READONLY",
    "WRONGTYPE",
];

impl Failure {
    /// What came of an operation that failed so; `mutates` says whether it would have changed
    /// anything.
    pub(super) fn answer(&self, mutates: bool) -> Answer {
        let reason = self.reason();
        let certain = match self {
            Failure::Unasked(_) => true,
            Failure::Refused { code, .. } => REFUSALS.contains(&code.as_str()),
            Failure::Unanswered(_) => false,
        };
        // A read changes nothing, so one that brought no answer did not happen.
        if certain || !mutates { Answer::Fail(reason) } else { Answer::Info(reason) }
    }

    /// The same words for the same cause.
    pub(super) fn reason(&self) -> String {
        match self {
            Failure::Unasked(reason) | Failure::Unanswered(reason) => reason.clone(),
            Failure::Refused { code, detail } if code == "ERR" => format!("ERR {detail}"),
            Failure::Refused { code, .. } => code.clone(),
        }
    }
}

/// Of a request that was on its way.
impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        match (error.code(), error.is_connection_dropped()) {
            (Some(code), _) => Failure::Refused {
                code: code.to_owned(),
                detail: error.detail().unwrap_or_default().to_owned(),
            },
            (None, true) => Failure::Unanswered("connection lost".to_owned()),
            (None, false) => Failure::Unanswered(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> Failure {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).expect("an error");
        value.extract_error().expect_err("an error").into()
    }

    #[test]
    fn only_what_certainly_did_not_happen_fails() {
        let fail = |reason: &str| Answer::Fail(reason.to_owned());
        let info = |reason: &str| Answer::Info(reason.to_owned());
        let lost = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let table = [
            (refused("READONLY You can't write against a read only replica."), fail("READONLY")),
            (refused("LOADING Redis is loading the dataset in memory"), fail("LOADING")),
            (refused("CLUSTERDOWN Hash slot not served"), fail("CLUSTERDOWN")),
            (refused("NOREPLICAS Not enough good replicas to write."), fail("NOREPLICAS")),
            (refused("MASTERDOWN Link with MASTER is down"), fail("MASTERDOWN")),
            (refused("NOAUTH Authentication required."), fail("NOAUTH")),
            (refused("NOPERM User default has no permissions"), fail("NOPERM")),
            (refused("MISCONF Errors writing to the AOF file"), fail("MISCONF")),
            (refused("OOM command not allowed"), fail("OOM")),
            (refused("BUSY Redis is busy running a script."), fail("BUSY")),
            (refused("WRONGTYPE Operation against a key"), fail("WRONGTYPE")),
            (
                refused("ERR max number of clients reached"),
                fail("ERR max number of clients reached"),
            ),
            (refused("UNBLOCKED force unblock from blocking operation"), info("UNBLOCKED")),
            (refused("EXECABORT Transaction discarded"), info("EXECABORT")),
            (refused("WHATEVER comes in the future"), info("WHATEVER")),
            (Failure::Unasked("connection refused".to_owned()), fail("connection refused")),
            (Failure::Unanswered("time-out".to_owned()), info("time-out")),
            (RedisError::from(lost()).into(), info("connection lost")),
        ];
        for (failure, expected) in table {
            assert_eq!(failure.answer(true), expected, "{failure:?}");
            assert!(matches!(failure.answer(false), Answer::Fail(_)), "a read: {failure:?}");
        }
    }
}

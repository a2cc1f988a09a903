//! How people write where a node is.

use std::str::FromStr;

/// `host`, `host:port`, `user@host:port`, `[IPv6 address]:port`, or an IPv6 address alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAddress {
    /// Whom to log in as, if it says.
    pub user: Option<String>,
    /// A name or an address.
    pub host: String,
    /// The SSH server's port, if it says.
    pub port: Option<u16>,
}

impl FromStr for NodeAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |found: &str| {
            Err(format!("expected [USER@]HOST[:PORT] or [USER@][IPV6]:PORT, found {found}"))
        };
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (Some(user.to_owned()), place),
            None => (None, text),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((host, "")) => (host, None),
                Some((host, port)) if port.starts_with(':') => (host, Some(&port[1..])),
                _ => return wrong(&format!("`{text}`")),
            },
            None if place.matches(':').count() > 1 => (place, None),
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let port = match port.map(|port| (port, port.parse::<u16>())) {
            None => None,
            Some((_, Ok(port))) if port > 0 => Some(port),
            Some((port, _)) => return wrong(&format!("the port `{port}` in `{text}`")),
        };
        // What looks like an option of `ssh` is none.
        let unfit = |word: &str| {
            word.is_empty()
                || word.starts_with('-')
                || word.contains(|it: char| it.is_whitespace() || it.is_control())
        };
        if unfit(host) || user.as_deref().is_some_and(unfit) {
            return wrong(&format!("`{text}`"));
        }
        Ok(Self { user, host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, user: Option<&str>, host: &str, port: Option<u16>) {
        let (user, host) = (user.map(str::to_owned), host.to_owned());
        assert_eq!(text.parse(), Ok(NodeAddress { user, host, port }), "{text}");
    }

    #[test]
    fn all_ways_to_write_it() {
        check("db1", None, "db1", None);
        check("db1.example:2222", None, "db1.example", Some(2222));
        check("admin@10.0.0.1:22", Some("admin"), "10.0.0.1", Some(22));
        check("me@corp@db1", Some("me@corp"), "db1", None);
        check("fd00::1", None, "fd00::1", None);
        check("[fd00::1]", None, "fd00::1", None);
        check("root@[fd00::1]:2222", Some("root"), "fd00::1", Some(2222));
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "@db1",
            "db1:",
            "db1:x",
            "db1:0",
            "db1:70000",
            "[fd00::1",
            "[::1]x",
            "-oA=b",
            "a b",
        ] {
            let error = text.parse::<NodeAddress>().expect_err(text);
            assert!(error.contains("expected [USER@]HOST"), "{error}");
        }
    }
}

//! "Did you mean": the known name that is most like the one that was found.

/// The one of `known` that is most like `found`, if any is.
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(name, found);
    let alike = known.into_iter().filter(|name| likeness(name) > 0.8);
    alike.max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
}

/// Adds a suggestion to serde's message about an unknown field or variant.
pub(super) fn with_suggestion(message: &str) -> String {
    let unknown = ["unknown field", "unknown variant"].iter().find_map(|it| message.find(it));
    let mut quoted = message[unknown.unwrap_or(message.len())..].split('`').skip(1).step_by(2);
    match quoted.next().and_then(|found| nearest(found, quoted)) {
        Some(name) => format!("{}; did you mean `{name}`?", message.trim_end()),
        None => message.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        let message =
            "test `name`: unknown field `nemisis`, expected one of `name`, `nemesis`, `nodes`";
        assert!(with_suggestion(message).ends_with("did you mean `nemesis`?"));
        let far = "unknown field `xyz`, expected `abc`";
        assert_eq!(with_suggestion(far), far);
    }
}

//! The only place where arguments become a line for a shell.

/// One argument, so that a POSIX shell reads it back as it was, whatever is in it. (A machine's
/// command line cannot hold a NUL; the remotes refuse it.)
pub fn quote(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=@+%".contains(c);
    match !argument.is_empty() && argument.chars().all(plain) {
        true => argument.to_owned(),
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    }
}

/// Arguments, with spaces between.
pub fn quote_all<A: AsRef<str>>(arguments: &[A]) -> String {
    let quoted: Vec<_> = arguments.iter().map(|it| quote(it.as_ref())).collect();
    quoted.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for argument in ["", "a b", "it's", "$HOME `x` $(y)", "\\", "\"", "a\nb", "-n", "*", "é~!"]
        {
            let line = format!("printf %s {}", quote(argument));
            let output = std::process::Command::new("sh").arg("-c").arg(&line).output();
            let output = output.expect("there is a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), argument, "{line}");
        }
    }
}

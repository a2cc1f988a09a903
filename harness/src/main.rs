//! The `perjury` command.
fn main() {}

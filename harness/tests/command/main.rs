//! The command, tried as its users use it: in a folder of its own, judged by what it prints, the
//! files it leaves and its exit code.

mod bad_input;
mod determinism;
mod export;
mod first_look;
mod foreign;
mod history_page;
#[cfg(unix)]
mod killed;
#[path = "../place/mod.rs"]
mod place;
mod simulate;
mod support;
#[cfg(unix)]
mod verdict;

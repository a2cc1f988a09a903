//! `perjury verify`: replays what proves a verdict.

use std::path::PathBuf;

use clap::Args;
use perjury_checkers::linearizability::Evidence;
use perjury_history::foreign::Options;

use super::print_verdict;
use crate::any_history::AnyHistory;
use crate::certificate_file::CertificateFile;
use crate::error::Error;
use crate::exit_code;

/// Replay the proof of a verdict: an order of operations step by step, or every order of those that
/// contradict each other
///
/// `perjury check HISTORY --certificate FILE` writes such proofs. Nothing that found them is used to
/// replay them. Exit code 1: some proof does not hold.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The history, as it was given to `perjury check`
    history: PathBuf,
    /// The certificates
    certificate: PathBuf,
}

impl Verify {
    pub(super) fn execute(self) -> Result<u8, Error> {
        let file = CertificateFile::read(&self.certificate)?;
        let kind = file.kind()?;
        let options = Options {
            object: super::check::read_as(kind),
            initial: file.settings.initial,
            ..Options::default()
        };
        let AnyHistory { history, .. } = AnyHistory::open(&self.history, &options)?;
        let judge = kind.judge(&file.settings, history.names());
        let (mut text, mut code) = (String::new(), exit_code::EXPECTED);
        for certificate in &file.certificates {
            let part = match certificate.key {
                Some(key) => format!("key {}", history.names().show(key)),
                None => "all keys together".to_owned(),
            };
            let proves = match &certificate.evidence {
                Evidence::Valid { order } => {
                    format!("linearizable, by an order of {} operations", order.len())
                }
                Evidence::Invalid { core } => {
                    format!("not linearizable, by {} operations", core.len())
                }
            };
            text += &match judge.verify(&history, certificate) {
                Ok(()) => format!("{part}: {proves}: verified\n"),
                Err(problem) => {
                    code = exit_code::VIOLATION;
                    format!("{part}: {proves}: refused: {problem}\n")
                }
            };
        }
        Ok(print_verdict(&text, code))
    }
}

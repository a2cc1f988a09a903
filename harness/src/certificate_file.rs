//! The file that proves a verdict.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use perjury_checkers::linearizability::{Certificate, ObjectKind, ObjectSettings};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Version of the file's format.
const FORMAT: u32 = 1;

/// What the file holds, as JSON. Operations are numbered by their invocations, from 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertificateFile {
    /// Version of the file's format.
    pub format: u32,
    /// The kind of object.
    pub object: String,
    /// Which of its kind.
    #[serde(flatten)]
    pub settings: ObjectSettings,
    /// The proofs, one for each object that was decided.
    pub certificates: Vec<Certificate>,
}

impl CertificateFile {
    /// Proofs about objects of this kind.
    pub fn new(kind: ObjectKind, settings: ObjectSettings, certificates: Vec<Certificate>) -> Self {
        Self { format: FORMAT, object: kind.name().to_owned(), settings, certificates }
    }

    /// The kind of object.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn kind(&self) -> Result<ObjectKind, Error> {
        self.object.parse().map_err(|problem: String| Error::usage(problem))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or is no such file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let told = |problem: &dyn std::fmt::Display| {
            Error::usage(format!("{}: {problem}", path.display()))
                .hint("`perjury check HISTORY --certificate FILE` writes one")
        };
        let text = fs::read(path).map_err(|error| told(&error))?;
        let file: Self = serde_json::from_slice(&text).map_err(|error| told(&error))?;
        match file.format {
            FORMAT => Ok(file),
            other => Err(told(&format!("expected format {FORMAT}, found {other}"))),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// If that fails.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.write_all(b"\n")?;
        out.flush()
    }
}

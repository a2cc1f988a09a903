//! Files that a user names for us to write: one that exists is not touched.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use crate::error::Error;

/// Makes a file.
///
/// # Errors
/// If there is one already, or it cannot be made.
pub(super) fn create(path: &Path) -> Result<File, Error> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.map_err(|error| unwritable(path, &error))
}

/// Refuses what [`create`] would refuse in the end, before work is done for it.
///
/// # Errors
/// If there is a file, or something else, with this name.
pub(super) fn refuse_existing(path: &Path) -> Result<(), Error> {
    match path.symlink_metadata() {
        Ok(_) => Err(unwritable(path, &io::ErrorKind::AlreadyExists.into())),
        Err(_) => Ok(()),
    }
}

/// Why a file could not be written.
pub(super) fn unwritable(path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::usage(format!("expected no file at {path}, found one"))
                .hint("move it away, or write to another")
        }
        _ => Error::failure(format!("failed to write {path}: {error}"))
            .hint("check the path, its permissions and the space left on the disk"),
    }
}

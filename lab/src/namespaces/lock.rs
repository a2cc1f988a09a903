//! One user of a lab at a time.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::settings::check_name;
use super::{NamespaceError, record};

/// Nobody else makes, uses or removes the lab while this is held. The kernel releases it when its
/// holder ends, however it ends.
#[derive(Debug)]
pub struct LabLock {
    name: String,
    path: PathBuf,
    /// Open, and so locked.
    _file: File,
}

/// Takes a lab for a run.
///
/// # Errors
/// If another run has it, or the lab's files cannot be written.
pub fn lock(name: &str) -> Result<LabLock, NamespaceError> {
    check_name(name)?;
    LabLock::take(&record::labs(), name)?.ok_or_else(|| NamespaceError::Busy(name.to_owned()))
}

/// Keeps others from choosing a subnet meanwhile. Waits for them.
pub(super) fn lock_subnets() -> Result<File, NamespaceError> {
    let path = record::labs().join("subnets.lock");
    let file = LabLock::file(&path)?;
    file.lock().map_err(|error| NamespaceError::file(&path, error))?;
    Ok(file)
}

impl LabLock {
    /// The name of the lab.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn file(path: &Path) -> Result<File, NamespaceError> {
        let file = File::options().create(true).write(true).truncate(false).open(path);
        file.map_err(|error| NamespaceError::file(path, error))
    }

    /// `None` if somebody else has it.
    fn take(labs: &Path, name: &str) -> Result<Option<Self>, NamespaceError> {
        record::make(labs)?;
        let path = labs.join(format!("{name}.lock"));
        loop {
            let file = Self::file(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => {
                    return Err(NamespaceError::file(&path, error));
                }
            }
            // Whoever had it may have removed the file, and somebody may have made another.
            let here = file.metadata().map(|it| it.ino());
            let there = fs::metadata(&path).map(|it| it.ino());
            if here.is_ok() && here.ok() == there.ok() {
                return Ok(Some(Self { name: name.to_owned(), path, _file: file }));
            }
        }
    }

    /// Releases it and leaves no file behind.
    pub(super) fn remove(self) -> Result<(), NamespaceError> {
        fs::remove_file(&self.path).map_err(|error| NamespaceError::file(&self.path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_released_by_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let take = || LabLock::take(folder.path(), "x").expect("the folder can be written");
        let first = take().expect("it is free");
        assert!(take().is_none(), "it is held");
        drop(first);
        let second = take().expect("it is free again");
        second.remove().expect("the file can be removed");
        assert!(!folder.path().join("x.lock").exists());
        assert!(take().is_some(), "a new file");
    }
}

//! What can be chosen about a lab of namespaces.

use serde::{Deserialize, Serialize};

use super::NamespaceError;

/// How to make a lab of namespaces, or which one to use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct NamespaceSettings {
    /// Its name; several labs may be up at once.
    pub name: String,
    /// The size of each node's disk in MiB. It takes up what is written to it.
    pub disk_mib: u32,
}

impl Default for NamespaceSettings {
    fn default() -> Self {
        Self { name: "perjury".to_owned(), disk_mib: 4096 }
    }
}

impl NamespaceSettings {
    /// The least that a disk must hold: an empty file system and some room.
    const DISK_MIB_MIN: u32 = 64;

    pub(super) fn check(&self) -> Result<(), NamespaceError> {
        check_name(&self.name)?;
        if self.disk_mib < Self::DISK_MIB_MIN {
            let least = Self::DISK_MIB_MIN;
            let problem = format!("disk-mib is {}, expected {least} or more", self.disk_mib);
            return Err(NamespaceError::Settings(problem));
        }
        Ok(())
    }
}

/// A lab's name is part of files' and namespaces' names.
pub(super) fn check_name(name: &str) -> Result<(), NamespaceError> {
    const LENGTH_MAX: usize = 32;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let right = name.len() <= LENGTH_MAX
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(plain);
    if right {
        return Ok(());
    }
    Err(NamespaceError::Settings(format!(
        "`{name}` is no name of a lab, expected up to {LENGTH_MAX} small letters, digits and hyphens"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["perjury", "a-1", "1"] {
            check_name(name).expect(name);
        }
        for name in ["", "-a", "A", "a/b", "..", "a b", &"a".repeat(33)] {
            check_name(name).expect_err(name);
        }
    }

    #[test]
    fn a_tiny_disk_is_refused() {
        let settings = NamespaceSettings { disk_mib: 1, ..NamespaceSettings::default() };
        let refused = settings.check().expect_err("too small").to_string();
        assert!(refused.contains("disk-mib is 1, expected 64 or more"), "{refused}");
    }
}

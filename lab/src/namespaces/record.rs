//! What is known of a lab, in a folder that only root can read.
//!
//! ```text
//!   labs/perjury/lab.json     what it consists of, written before anything of it is made
//!                key, key.pub, known_hosts, ssh_config      how to reach it
//!                n1/disk.img  the node's disk
//!                n1/init      host's process id and start time of its first process
//!                n1/log       what became of it until its sshd ran
//! ```

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{NamespaceError, NamespaceSettings};
use crate::machines::layout;

/// The folder of all labs.
pub(super) fn labs() -> PathBuf {
    Path::new(layout::ROOT).join("labs")
}

/// Makes the folder of all labs, if it is not there. The one above it is for others too.
pub(super) fn make(labs: &Path) -> Result<(), NamespaceError> {
    let above = labs.parent().map_or(Ok(()), fs::create_dir_all);
    let made = above.and_then(|()| fs::DirBuilder::new().recursive(true).mode(0o700).create(labs));
    made.map_err(|error| NamespaceError::file(labs, error))
}

/// What a lab consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct LabRecord {
    version: u32,
    pub(super) settings: NamespaceSettings,
    pub(super) nodes: u32,
    /// The K of 10.77.K.0/24 and fd77:0:0:K::/64.
    pub(super) subnet: u8,
    pub(super) ipv6: bool,
    /// Which boot of the host it was made in: none of it survives that but the files.
    pub(super) boot_id: String,
}

/// One node of a lab.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// 1, 2, ...
    pub(super) number: u32,
    /// n1, n2, ...
    pub(super) name: String,
    /// IPv4, then IPv6 if the host has it.
    pub(super) addresses: Vec<IpAddr>,
    /// Its files.
    pub(super) folder: PathBuf,
    /// Its network namespace.
    pub(super) network: String,
}

const VERSION: u32 = 1;

/// The number of the host's end in every subnet.
const CONTROL: u8 = 254;

/// How many nodes a subnet has room for.
pub(super) const NODES_MAX: u32 = 250;

impl LabRecord {
    pub(super) fn new(settings: &NamespaceSettings, nodes: u32, subnet: u8) -> Self {
        Self {
            version: VERSION,
            settings: settings.clone(),
            nodes,
            subnet,
            ipv6: Path::new("/proc/sys/net/ipv6").is_dir(),
            boot_id: boot_id(),
        }
    }

    pub(super) fn folder_of(name: &str) -> PathBuf {
        labs().join(name)
    }

    pub(super) fn folder(&self) -> PathBuf {
        Self::folder_of(&self.settings.name)
    }

    /// Reads a lab's record; none if there is no such lab.
    pub(super) fn read(name: &str) -> Result<Option<Self>, NamespaceError> {
        let path = Self::folder_of(name).join("lab.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(NamespaceError::file(&path, error)),
        };
        let record: Self =
            serde_json::from_str(&text).map_err(|error| NamespaceError::file(&path, error))?;
        if record.version != VERSION || record.settings.name != name {
            let (found, lab) = (record.version, &record.settings.name);
            let problem = format!(
                "version {found} of the lab `{lab}`, expected version {VERSION} of `{name}`; \
                 remove it with the Perjury that made it"
            );
            return Err(NamespaceError::file(&path, problem));
        }
        Ok(Some(record))
    }

    /// Writes it to its new folder; the folder is there whole or not at all.
    pub(super) fn create(&self) -> Result<(), NamespaceError> {
        let folder = self.folder();
        let partial = labs().join(format!("{}.partial", self.settings.name));
        let create = || {
            if partial.exists() {
                fs::remove_dir_all(&partial)?;
            }
            fs::DirBuilder::new().mode(0o700).create(&partial)?;
            fs::write(partial.join("lab.json"), serde_json::to_string_pretty(self)?)?;
            fs::File::open(partial.join("lab.json"))?.sync_all()?;
            fs::rename(&partial, &folder)
        };
        create().map_err(|error| NamespaceError::file(&folder, error))
    }

    /// Its nodes, in order.
    pub(super) fn nodes(&self) -> Vec<Node> {
        (1..=self.nodes).map(|number| self.node(number)).collect()
    }

    fn node(&self, number: u32) -> Node {
        let name = format!("n{number}");
        Node {
            number,
            addresses: self.addresses(u8::try_from(number).unwrap_or(CONTROL)),
            folder: self.folder().join(&name),
            network: format!("perjury-{}-{name}", self.settings.name),
            name,
        }
    }

    /// The addresses of the host's end.
    pub(super) fn control(&self) -> Vec<IpAddr> {
        self.addresses(CONTROL)
    }

    fn addresses(&self, number: u8) -> Vec<IpAddr> {
        let subnet = u16::from(self.subnet);
        let v4 = Ipv4Addr::new(10, 77, self.subnet, number).into();
        let v6 = Ipv6Addr::new(0xfd77, 0, 0, subnet, 0, 0, 0, u16::from(number)).into();
        if self.ipv6 { vec![v4, v6] } else { vec![v4] }
    }

    /// The network namespace of the bridge.
    pub(super) fn switch(&self) -> String {
        format!("perjury-{}-switch", self.settings.name)
    }

    /// The host's link to it.
    pub(super) fn link(&self) -> String {
        format!("perjury{}", self.subnet)
    }

    /// Whether the host still is in the boot that it was made in.
    pub(super) fn of_this_boot(&self) -> bool {
        self.boot_id == boot_id()
    }
}

/// With its prefix length, as `ip` wants it.
pub(super) fn with_prefix(address: IpAddr) -> String {
    match address {
        IpAddr::V4(_) => format!("{address}/24"),
        IpAddr::V6(_) => format!("{address}/64"),
    }
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// The names in a folder, in order; none if it is not there.
pub(super) fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

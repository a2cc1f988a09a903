//! Whether this host can have a lab of namespaces.

use std::path::Path;

use super::tool::{find, run};

/// Programs that are needed, with what they are for.
const PROGRAMS: [&str; 9] =
    ["ip", "sshd", "ssh-keygen", "mkfs.ext4", "mount", "nsenter", "unshare", "setpriv", "setsid"];

/// Folders of the host that nodes must see; an overlay does not show what is mounted in them.
const FOLDERS: [&str; 3] = ["/usr", "/etc", "/var"];

/// Does in namespaces of its own what a lab needs of the kernel. It leaves nothing behind.
const TRIAL: &str = r#"set -e
ip link add trial type veth peer name other
ip link add switch type bridge
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
mount -t proc proc /mnt/root/proc"#;

/// Says why this host cannot have a lab of namespaces, and what to do about it, if it cannot.
///
/// # Errors
/// The reason.
pub fn possible() -> Result<(), String> {
    if !nix::unistd::Uid::effective().is_root() {
        return Err(
            "only root can make namespaces; run it as root, or use machines over SSH".into()
        );
    }
    let missing: Vec<_> = PROGRAMS.into_iter().filter(|it| find(it).is_none()).collect();
    if !missing.is_empty() {
        return Err(format!("it has no {}; run scripts/install-lab", missing.join(", ")));
    }
    if !Path::new("/dev/loop-control").exists() {
        return Err("it has no loop devices; `modprobe loop`, or use machines over SSH".into());
    }
    let device = |path: &str| {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).map(|it| it.dev()).ok()
    };
    if let Some(folder) = FOLDERS.into_iter().find(|it| device(it) != device("/")) {
        return Err(format!(
            "{folder} is another file system than /, which nodes could not see; \
             use machines over SSH"
        ));
    }
    let namespaces = ["--mount", "--uts", "--ipc", "--pid", "--net", "--fork"];
    let trial = ["--propagation", "private", "sh", "-c", TRIAL];
    match run("unshare", &[&namespaces[..], &trial[..]].concat()) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "its kernel does not allow all that is needed ({error}); use machines over SSH"
        )),
    }
}

//! Making a lab.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::lock::{LabLock, lock, lock_subnets};
use super::parallel::each;
use super::process::Process;
use super::record::{LabRecord, NODES_MAX, Node, with_prefix};
use super::tool::{command, run};
use super::{NamespaceError, NamespaceSettings, keys, network, possible};

const NODE: &str = include_str!("node.sh");
const SSHD_CONFIG: &str = include_str!("sshd_config");

/// How long a node may take until its sshd answers. With fifty on a busy host it takes seconds.
const START: Duration = Duration::from_secs(60);

/// Makes a lab of so many nodes, and returns when all can be logged in to, with the lock of the lab:
/// who drops it leaves the lab to others. If it fails, all that it made is gone again.
///
/// # Errors
/// If this host cannot have one, one of that name is there, or something fails on the way.
pub fn up(settings: &NamespaceSettings, nodes: u32) -> Result<LabLock, NamespaceError> {
    settings.check()?;
    if !(1..=NODES_MAX).contains(&nodes) {
        let problem = format!("{nodes} nodes, expected 1 to {NODES_MAX}");
        return Err(NamespaceError::Settings(problem));
    }
    possible().map_err(NamespaceError::Impossible)?;
    let held = lock(&settings.name)?;
    if LabRecord::folder_of(&settings.name).exists() {
        return Err(NamespaceError::Exists(settings.name.clone()));
    }
    let lab = {
        let _held = lock_subnets()?;
        let lab = LabRecord::new(settings, nodes, network::free_subnet()?);
        lab.create()?;
        lab
    };
    match make(&lab) {
        Ok(()) => Ok(held),
        Err(failed) => {
            // What went wrong first is what matters; `down` can be called again.
            if let Err(error) = held.down() {
                tracing::warn!(lab = settings.name, %error, "the failed lab could not be removed");
            }
            Err(failed)
        }
    }
}

fn make(lab: &LabRecord) -> Result<(), NamespaceError> {
    let nodes = lab.nodes();
    write_files(lab, &nodes)?;
    keys::make_keys(lab, &nodes)?;
    network::make_switch(lab)?;
    each(&nodes, |node| {
        network::make_node(lab, node)?;
        make_disk(lab, node)?;
        start(lab, node)
    })?;
    each(&nodes, |node| wait_for_sshd(lab, node)).map(|_| ())
}

fn write_files(lab: &LabRecord, nodes: &[Node]) -> Result<(), NamespaceError> {
    let folder = lab.folder();
    let mut hosts = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n".to_owned();
    let named = nodes.iter().map(|node| (node.name.as_str(), node.addresses.clone()));
    for (name, addresses) in named.chain([("control", lab.control())]) {
        for address in addresses {
            // A name means one address, as programs differ in which of several they take.
            let family = if address.is_ipv6() { "-ip6" } else { "" };
            let _ = writeln!(hosts, "{address} {name}{family}");
        }
    }
    let write = || -> io::Result<()> {
        fs::write(folder.join("hosts"), hosts)?;
        fs::write(folder.join("node.sh"), NODE)?;
        fs::write(folder.join("sshd_config"), SSHD_CONFIG)?;
        make_devices(&folder.join("dev"))?;
        for node in nodes {
            // Where the node mounts its disk and its root, in its own mount namespace.
            fs::create_dir_all(node.folder.join("disk"))?;
            fs::create_dir_all(node.folder.join("root"))?;
        }
        Ok(())
    };
    write().map_err(|error| NamespaceError::file(&folder, error))
}

/// A folder with the devices that nodes get copies of.
fn make_devices(folder: &Path) -> io::Result<()> {
    /// Loop devices are numbered through the whole host, and each node sees all that may come.
    const LOOPS: u64 = 512;
    const DEVICES: [(&str, u64, u64); 9] = [
        ("null", 1, 3),
        ("zero", 1, 5),
        ("full", 1, 7),
        ("random", 1, 8),
        ("urandom", 1, 9),
        ("tty", 5, 0),
        ("fuse", 10, 229),
        ("net/tun", 10, 200),
        ("loop-control", 10, 237),
    ];
    fs::create_dir_all(folder.join("net"))?;
    let make = |name: &str, kind: SFlag, mode: u32, (major, minor): (u64, u64)| {
        let path = folder.join(name);
        mknod(&path, kind, Mode::empty(), makedev(major, minor))?;
        // Past the caller's mask.
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode))
    };
    for (name, major, minor) in DEVICES {
        let mode = if name == "loop-control" { 0o660 } else { 0o666 };
        make(name, SFlag::S_IFCHR, mode, (major, minor))?;
    }
    (0..LOOPS).try_for_each(|it| make(&format!("loop{it}"), SFlag::S_IFBLK, 0o660, (7, it)))
}

fn make_disk(lab: &LabRecord, node: &Node) -> Result<(), NamespaceError> {
    let path = node.folder.join("disk.img");
    let disk = fs::File::create(&path);
    let sized = disk.and_then(|it| it.set_len(u64::from(lab.settings.disk_mib) << 20));
    sized.map_err(|error| NamespaceError::file(&path, error))?;
    // It need not survive a loss of power of the host, so it has no journal.
    let path = path.display().to_string();
    run("mkfs.ext4", &["-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "nodiscard", &path])
        .map(|_| ())
}

/// Starts a node's first process, which outlives this one.
fn start(lab: &LabRecord, node: &Node) -> Result<(), NamespaceError> {
    let log = node.folder.join("log");
    let file = fs::File::options().create_new(true).append(true).mode(0o600).open(&log);
    let file = file.map_err(|error| NamespaceError::file(&log, error))?;
    let copy = file.try_clone().map_err(|error| NamespaceError::file(&log, error))?;
    // A session of its own, so that no key that is pressed here ends it; and no child of this
    // process, which need not live to see its end.
    let missing = || did_not_start(lab, node, "there is no `setsid`; run scripts/install-lab");
    let status = command("setsid")
        .ok_or_else(missing)?
        .arg("--fork")
        .arg("nsenter")
        .arg(format!("--net=/run/netns/{}", node.network))
        .args(["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork"])
        .args(["--propagation", "private", "sh"])
        .arg(lab.folder().join("node.sh"))
        .arg(&node.name)
        .arg(lab.folder())
        .args(node.addresses.iter().copied().map(with_prefix))
        .current_dir("/")
        .stdout(file)
        .stderr(copy)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(did_not_start(lab, node, &status.to_string())),
        Err(error) => Err(did_not_start(lab, node, &error.to_string())),
    }
}

fn did_not_start(lab: &LabRecord, node: &Node, problem: &str) -> NamespaceError {
    NamespaceError::Node {
        lab: lab.settings.name.clone(),
        node: node.name.clone(),
        problem: format!("did not start: {problem}"),
    }
}

fn wait_for_sshd(lab: &LabRecord, node: &Node) -> Result<(), NamespaceError> {
    let began = Instant::now();
    let address = SocketAddr::new(node.addresses[0], 22);
    loop {
        if greets(address) {
            return Ok(());
        }
        let init = Process::read(&node.folder.join("init"));
        let died = init.is_some_and(|it| !it.is_alive());
        if died || began.elapsed() > START {
            let said = fs::read_to_string(node.folder.join("log")).unwrap_or_default();
            let said = match said.trim() {
                "" => "it said nothing".to_owned(),
                said => said.replace('\n', "; "),
            };
            return Err(did_not_start(lab, node, &said));
        }
        sleep(Duration::from_millis(20));
    }
}

/// Whether an SSH server says that it is one.
fn greets(address: SocketAddr) -> bool {
    const PATIENCE: Duration = Duration::from_secs(5);
    let mut greeting = [0; 4];
    let heard = TcpStream::connect_timeout(&address, PATIENCE).and_then(|mut stream| {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.read_exact(&mut greeting)
    });
    heard.is_ok() && greeting == *b"SSH-"
}

//! What can be done on a machine, and what it lacks.

use perjury_lab::machines::Facts;

/// How packets of other nodes are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Firewall {
    Nft,
    Iptables,
}

/// With what a machine drops packets.
pub(super) fn firewall(facts: &Facts) -> Option<Firewall> {
    match (&facts.nft, &facts.iptables) {
        (Ok(()), _) => Some(Firewall::Nft),
        (_, Ok(())) => Some(Firewall::Iptables),
        _ => None,
    }
}

/// Whether it can drop what comes from other nodes.
pub(super) fn partition(facts: &Facts) -> Result<(), String> {
    match (firewall(facts), &facts.nft) {
        (None, Err(reason)) => {
            Err(format!("has neither a working nft nor iptables ({reason}); install nftables"))
        }
        _ => Ok(()),
    }
}

/// Whether it can impair what it sends.
pub(super) fn impair(facts: &Facts) -> Result<(), String> {
    match (&facts.netem, &facts.nfqueue) {
        (Err(netem), Err(queue)) => Err(format!(
            "has neither `tc netem` ({netem}) nor an iptables with NFQUEUE ({queue}); install \
             iproute2 and iptables, or a kernel that has one of the two"
        )),
        _ => Ok(()),
    }
}

/// Whether its clock can be wrong: as a whole where nobody shares it, else for single processes.
pub(super) fn clock(facts: &Facts) -> Result<(), String> {
    match &facts.shares_kernel_with {
        Some(with) if facts.architecture != "x86_64" => Err(format!(
            "shares its kernel with {with}, and the clock of single processes is set on x86_64 and \
             not on {}; use machines of their own",
            facts.architecture
        )),
        _ => Ok(()),
    }
}

/// Whether it can have a volume that faults can be made on.
pub(super) fn volume(facts: &Facts) -> Result<(), String> {
    let volume = facts.loop_devices.as_ref();
    volume.copied().map_err(|reason| {
        format!("can have no volume for the data ({reason}); it needs loop devices and e2fsprogs")
    })
}

/// Whether that volume can lose its power.
pub(super) fn shutdown(facts: &Facts) -> Result<(), String> {
    volume(facts)?;
    let shutdown = facts.shutdown.as_ref();
    shutdown
        .copied()
        .map_err(|reason| format!("cannot shut a file system down ({reason}); install xfsprogs"))
}

/// Whether that volume can be frozen.
pub(super) fn freeze(facts: &Facts) -> Result<(), String> {
    volume(facts)?;
    let freeze = facts.freeze.as_ref();
    freeze
        .copied()
        .map_err(|reason| format!("cannot freeze a file system ({reason}); install util-linux"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            boot_id: "one".to_owned(),
            shares_kernel_with: Some("n1".to_owned()),
            kernel: "6.1".to_owned(),
            architecture: "x86_64".to_owned(),
            package_manager: None,
            free_mib: 1,
            clock_source: "tsc".to_owned(),
            clock_offset: None,
            time_service: None,
            cgroup_version: 2,
            cgroup_controllers: [].into(),
            nft: Ok(()),
            iptables: Err("not tried".to_owned()),
            netem: Ok(()),
            nfqueue: Err("not tried".to_owned()),
            loop_devices: Ok(()),
            shutdown: Ok(()),
            freeze: Ok(()),
        }
    }

    #[test]
    fn a_machine_that_has_all_can_do_all() {
        for can in [partition, impair, clock, volume, shutdown, freeze] {
            can(&facts()).expect("it has all");
        }
    }

    #[test]
    fn what_a_machine_lacks_is_told_with_the_remedy() {
        let no = || Err("it is not here".to_owned());
        let reason = |can: fn(&Facts) -> Result<(), String>, facts: &Facts| {
            can(facts).expect_err("it lacks something")
        };
        let bare = Facts { nft: no(), netem: no(), nfqueue: no(), loop_devices: no(), ..facts() };
        assert!(reason(partition, &bare).contains("(it is not here); install nftables"));
        assert!(reason(impair, &bare).contains("install iproute2 and iptables"));
        for can in [volume, shutdown, freeze] {
            assert!(reason(can, &bare).contains("can have no volume for the data"));
        }
        let arm = Facts { architecture: "aarch64".to_owned(), ..facts() };
        assert!(reason(clock, &arm).contains("shares its kernel with n1"));
        clock(&Facts { shares_kernel_with: None, ..arm }).expect("its clock is its own");
        let other = Facts { nft: no(), iptables: Ok(()), ..facts() };
        assert_eq!(firewall(&other), Some(Firewall::Iptables));
    }
}

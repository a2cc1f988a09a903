//! `perjury lab`: machines made of namespaces on this one, and what any lab lacks.

use std::num::NonZeroU32;

use clap::{Args, Subcommand};
use perjury_lab::machines::{self, Finding, Severity, VOLUME_MIB};
use perjury_lab::namespaces::{self, NamespaceSettings};

use super::colors::Colors;
use super::lab_flags::LabFlags;
use super::{print, table};
use crate::campaign::LabSettings;
use crate::error::Error;
use crate::exit_code;
use crate::open_lab;
use crate::progress::say;

/// Machines for real stores: namespaces on this one (as root), or a cluster
///
/// A campaign with `lab = "namespaces"` uses the lab that is up, or brings one up for itself and
/// takes it down again.
#[derive(Debug, Args)]
pub(super) struct Lab {
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Debug, Subcommand)]
enum LabCommand {
    /// Make a lab: each node a machine of its own, but for the kernel
    Up {
        /// Number of nodes
        #[arg(long, value_name = "N", default_value = "5")]
        nodes: NonZeroU32,
        #[command(flatten)]
        name: Name,
        /// Size of each node's disk in MiB; it takes up what is written to it
        #[arg(long, value_name = "MIB")]
        disk_mib: Option<u32>,
    },
    /// Show the labs that are up, and what runs on their nodes
    Status,
    /// Take a lab away: its processes, networks and disks
    Down {
        #[command(flatten)]
        name: Name,
    },
    /// Say of each machine what is missing, before anything starts
    Check {
        #[command(flatten)]
        name: Name,
        #[command(flatten)]
        lab: LabFlags,
    },
}

/// Which of the labs on this machine
#[derive(Clone, Debug, Args)]
struct Name {
    /// Name of the lab of namespaces
    #[arg(long, value_name = "NAME", default_value = "perjury")]
    name: String,
}

impl Lab {
    pub(super) fn execute(self) -> Result<u8, Error> {
        match self.command {
            LabCommand::Up { nodes, name, disk_mib } => {
                let usual = NamespaceSettings::default();
                let disk_mib = disk_mib.unwrap_or(usual.disk_mib);
                let settings = NamespaceSettings { name: name.name, disk_mib };
                namespaces::possible().map_err(Error::failure)?;
                namespaces::up(&settings, nodes.get()).map_err(Error::failure)?;
                print(&describe(&settings.name)?)?;
                Ok(exit_code::EXPECTED)
            }
            LabCommand::Status => {
                let names = namespaces::names().map_err(Error::failure)?;
                if names.is_empty() {
                    say("no lab is up; `perjury lab up` makes one");
                }
                let described: Result<Vec<String>, Error> =
                    names.iter().map(|name| describe(name)).collect();
                print(&described?.join("\n"))?;
                Ok(exit_code::EXPECTED)
            }
            LabCommand::Down { name } => {
                namespaces::down(&name.name).map_err(Error::failure)?;
                Ok(exit_code::EXPECTED)
            }
            LabCommand::Check { name, lab } => check(&name.name, &lab),
        }
    }
}

fn describe(name: &str) -> Result<String, Error> {
    let status = namespaces::status(name).map_err(Error::failure)?;
    let header = ["node", "addresses", "disk", "process", "runs"].map(str::to_owned).to_vec();
    let rows = status.nodes.iter().map(|node| {
        let addresses: Vec<_> = node.addresses.iter().map(ToString::to_string).collect();
        vec![
            node.name.clone(),
            addresses.join(" "),
            format!("{} of {} MiB", node.disk_used_mib, node.disk_mib),
            node.pid.map_or("down".to_owned(), |pid| pid.to_string()),
            match node.daemons.is_empty() {
                true => "nothing".to_owned(),
                false => node.daemons.join(", "),
            },
        ]
    });
    let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
    let ssh = status.ssh_config.display();
    Ok(format!("lab `{name}`: ssh -F {ssh} n1\n{}", table::render(&rows, Colors::Off)))
}

fn check(name: &str, flags: &LabFlags) -> Result<u8, Error> {
    let settings = match flags.setting()? {
        Some(value) => value.try_into::<LabSettings>().map_err(Error::usage)?,
        None => LabSettings::Namespaces(NamespaceSettings {
            name: name.to_owned(),
            ..NamespaceSettings::default()
        }),
    };
    let lab = open_lab::all_machines(&settings)?;
    let findings = lab.run(machines::check(&lab, VOLUME_MIB));
    if findings.is_empty() {
        say("every machine has everything");
        return Ok(exit_code::EXPECTED);
    }
    let severity = |finding: &Finding| match finding.severity {
        Severity::Fatal => "FATAL",
        Severity::Limit => "limit",
        Severity::Note => "note",
    };
    let header = ["node", "", "found", "what to do"].map(str::to_owned).to_vec();
    let rows = findings.iter().map(|finding| {
        vec![
            finding.node.to_string(),
            severity(finding).to_owned(),
            finding.problem.clone(),
            finding.remedy.clone(),
        ]
    });
    let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
    print(&table::render(&rows, Colors::Off))?;
    let fatal = findings.iter().filter(|it| it.severity == Severity::Fatal).count();
    match fatal {
        0 => Ok(exit_code::EXPECTED),
        _ => Err(Error::failure(format!(
            "{fatal} findings without whose remedy there can be no run"
        ))),
    }
}

//! `perjury list`: what there is.

use clap::{Args, ValueEnum};
use perjury_checkers::linearizability::ObjectKind;
use perjury_checkers::{AnomalyKind, Model};
use perjury_nemesis::FaultKind;

use super::colors::Colors;
use super::{print, table};
use crate::error::Error;
use crate::exit_code;

/// List what there is: stores, workloads, faults, checkers, models
#[derive(Debug, Args)]
pub(super) struct List {
    /// What to list [default: everything]
    what: Option<What>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Stores,
    Workloads,
    Faults,
    Checkers,
    Models,
}

impl List {
    pub(super) fn execute(self) -> Result<u8, Error> {
        let all = What::value_variants();
        let wanted = self.what.as_ref().map_or(all, std::slice::from_ref);
        let sections: Vec<String> = wanted.iter().map(|what| what.section()).collect();
        print(&sections.join("\n"))?;
        Ok(exit_code::EXPECTED)
    }
}

impl What {
    fn section(self) -> String {
        let (heading, rows): (_, Vec<(String, String)>) = match self {
            What::Stores => {
                let stores = perjury_stores::names().iter();
                ("stores", stores.map(|&(name, about)| (name.into(), about.into())).collect())
            }
            What::Workloads => {
                let workloads = workloads().into_iter();
                (
                    "workloads",
                    workloads.map(|it| (it.name().into(), it.describe().into())).collect(),
                )
            }
            What::Faults => {
                let faults = FaultKind::ALL.into_iter();
                ("faults", faults.map(|it| (it.name().into(), it.describe().into())).collect())
            }
            What::Checkers => {
                let checkers = workloads().into_iter().flat_map(|it| it.checkers());
                let mut rows: Vec<_> = checkers
                    .map(|it| {
                        let models: Vec<_> = it.models().iter().map(|it| it.name()).collect();
                        let decides = match models.as_slice() {
                            [] => "measures only".to_owned(),
                            models => models.join(", "),
                        };
                        (it.name().to_owned(), decides)
                    })
                    .collect();
                rows.sort();
                rows.dedup();
                ("checkers", rows)
            }
            What::Models => {
                let violated_by = |model: Model| {
                    let kinds = AnomalyKind::ALL.into_iter().filter(|it| it.rules_out() == model);
                    let names: Vec<_> = kinds.map(AnomalyKind::name).collect();
                    format!("violated by {}", names.join(", "))
                };
                let objects = ObjectKind::ALL
                    .map(|it| (it.name().to_owned(), format!("linearizable: {}", it.describe())));
                let models = Model::ALL.map(|it| (it.name().to_owned(), violated_by(it)));
                ("models", models.into_iter().chain(objects).collect())
            }
        };
        let header = vec![heading.to_owned(), String::new()];
        let rows = rows.into_iter().map(|(name, about)| vec![name, about]);
        table::render(&std::iter::once(header).chain(rows).collect::<Vec<_>>(), Colors::Off)
    }
}

fn workloads() -> Vec<Box<dyn perjury_workloads::Workload>> {
    let all = perjury_workloads::names().iter();
    all.filter_map(|name| perjury_workloads::workload(name, perjury_workloads::no_options()).ok())
        .collect()
}

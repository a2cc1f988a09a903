//! How long a lab of namespaces takes: `cargo run --release -p perjury-lab --example namespaces 50`,
//! as root. Makes it, logs in to all nodes at once, makes them ready for a run, and removes it.

use std::error::Error;
use std::time::Instant;

use perjury_lab::machines::VOLUME_MIB;
use perjury_lab::namespaces::{NamespaceError, NamespaceSettings, open, up};
use perjury_lab::remote::Command;

fn main() -> Result<(), Box<dyn Error>> {
    let nodes = std::env::args().nth(1).map_or(Ok(50), |it| it.parse())?;
    let name = format!("example-{}", std::process::id());
    let settings = NamespaceSettings { name, ..NamespaceSettings::default() };
    let held = timed("up", || up(&settings, nodes))?;
    let measured = measure(&settings, nodes);
    timed("down", || held.down())?;
    Ok(measured?)
}

fn measure(settings: &NamespaceSettings, nodes: u32) -> Result<(), NamespaceError> {
    let lab = timed("a login to each, all at once", || open(settings, nodes))?;
    let command = Command::new("true");
    timed("a command on each, all at once", || lab.run(lab.each(|machine| machine.run(&command))))?;
    timed("facts, folders and a volume on each", || lab.run(lab.prepare(VOLUME_MIB)))?;
    timed("everything of ours away from each", || lab.run(lab.clear()))?;
    Ok(())
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = work();
    println!("{:7.2} s  {what}", began.elapsed().as_secs_f64());
    result
}

//! What must run on a node itself, to break it or to look.
//!
//! The [Linux injector](crate::LinuxInjector) copies the controller's own executable to each node
//! and runs it there as `... agent COMMAND ORDER`. An order is JSON, and so is the answer on
//! standard output. What lasts as long as a fault runs as a daemon; it undoes what it did when it
//! is told to end, and what it leaves behind when it is killed is undone by the injector.
//!
//! ```text
//! listen   hears packets of probes and echoes them       heard    what the listener heard
//! probe    sends packets to listeners                     witness  a store for tests
//! clock    shows processes another time                  clock-look, clock-reset
//! link     impairs what this machine sends            link-reset
//! stall    has a file system hang                      stall-look
//! strain   wants much processor time or memory
//! machine-clock  sets the machine's clock                machine-clock-reset
//! ```
//!
//! Invariants
//! - An agent acts on the machine that it runs on, and on nothing that is not the lab's.
//! - A background agent ends within a moment of being told to.

mod clock;
mod link;
mod listen;
mod packet;
mod probe;
mod processes;
mod stall;
mod stop;
mod strain;
mod witness;

use std::process::ExitCode;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(crate) use clock::{ClockLook, ClockSeen, MachineClock, ProcessClock, Restore};
pub(crate) use link::{Impairment, LinkFault, Links};
pub(crate) use listen::{Heard, HeardFlow, Listen, Question};
pub(crate) use probe::{Probe, ProbeTarget, Probed};
pub(crate) use stall::{Stall, StallLook, Stalled};
pub(crate) use strain::{Strain, Strained};
pub use witness::{HeardPeer, Testimony, Witness, ask_witness};

/// Exit status of a call that is none.
const USAGE: u8 = 64;

/// Does what the arguments say: a command, and its order as JSON.
pub fn main(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    let arguments: Vec<String> = arguments.into_iter().collect();
    let (command, order) = match arguments.as_slice() {
        [command] => (command.as_str(), "null"),
        [command, order] => (command.as_str(), order.as_str()),
        _ => ("", "null"),
    };
    let outcome = match command {
        "listen" => read(order).and_then(|order: Listen| listen::listen(&order)),
        "heard" => read(order).and_then(|order: Question| answer(&listen::heard(&order)?)),
        "probe" => read(order).and_then(|order: Probe| answer(&probe::probe(&order)?)),
        "clock" => read(order).and_then(|order: ProcessClock| clock::disturb_processes(&order)),
        "clock-look" => {
            read(order).and_then(|order: ClockLook| answer(&clock::look_at_processes(&order)?))
        }
        "clock-reset" => clock::restore_processes(),
        "machine-clock" => {
            read(order).and_then(|order: MachineClock| clock::disturb_machine(&order))
        }
        "machine-clock-reset" => {
            read(order).and_then(|order: Restore| clock::restore_machine(&order))
        }
        "link" => read(order).and_then(|order: Links| link::impair(&order)),
        "link-reset" => link::reset(),
        "stall" => read(order).and_then(|order: Stall| stall::stall(&order)),
        "stall-look" => read(order).and_then(|order: StallLook| answer(&stall::look(&order)?)),
        "strain" => read(order).and_then(|order: Strain| answer(&strain::strain(&order)?)),
        "witness" => read(order).and_then(|order: Witness| witness::witness(&order)),
        _ => {
            eprintln!("expected `COMMAND ORDER`, found `{}`", arguments.join(" "));
            return ExitCode::from(USAGE);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{command}: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn read<T: DeserializeOwned>(order: &str) -> Result<T, String> {
    serde_json::from_str(order).map_err(|error| format!("expected an order, found {error}"))
}

fn answer<T: Serialize>(answer: &T) -> Result<(), String> {
    let text = serde_json::to_string(answer).map_err(|error| error.to_string())?;
    println!("{text}");
    Ok(())
}

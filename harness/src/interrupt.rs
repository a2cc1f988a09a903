//! Ctrl-C: the first asks the run to stop, heal, save and analyse; the second ends the command.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::exit_code;
use crate::progress::say;

/// Whether the user asked to stop.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// One that Ctrl-C (or a termination signal) raises; the same for the whole command.
    pub fn from_signals() -> Self {
        static INSTALLED: OnceLock<Interrupt> = OnceLock::new();
        let handler = || {
            let interrupt = Interrupt::default();
            let raised = interrupt.clone();
            // Without a handler Ctrl-C ends the command at once, which is no worse.
            let _ = ctrlc::set_handler(move || {
                if raised.0.swap(true, Ordering::SeqCst) {
                    std::process::exit(i32::from(exit_code::FAILURE));
                }
                say("stopping: healing, saving and analysing; once more to quit at once");
            });
            interrupt
        };
        INSTALLED.get_or_init(handler).clone()
    }

    /// Asks to stop.
    pub fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether anybody asked.
    pub fn raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

//! The record of a run, in memory and on disk at once.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use perjury_history::arrow::{RecordError, Recorder};
use perjury_history::{Entry, Event, FaultEvent, History, HistoryBuilder};
use perjury_lab::Clock;

struct Open {
    /// `None` once writing has failed.
    recorder: Option<Recorder<std::fs::File>>,
    history: HistoryBuilder,
    problem: Option<String>,
}

/// Takes the run's events, stamps them with the time and keeps them twice. A disk that fails costs
/// the file, not the verdict: the history in memory goes on.
pub struct Recording {
    clock: Arc<dyn Clock>,
    start_ns: u64,
    open: Mutex<Open>,
}

impl Recording {
    /// Begins the record; times count from now.
    ///
    /// # Errors
    /// If the file exists or cannot be written.
    pub fn create(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, RecordError> {
        let recorder = Some(Recorder::create(path)?);
        let open = Open { recorder, history: HistoryBuilder::new(), problem: None };
        Ok(Self { start_ns: clock.now_ns(), clock, open: Mutex::new(open) })
    }

    /// Nanoseconds since the record began.
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns() - self.start_ns
    }

    /// Records a client's event at the present time. Returns it as recorded.
    pub fn event(&self, mut event: Event) -> Event {
        // The time is taken with the place in the record, so that it never goes back in it.
        let mut open = self.open();
        event.time_ns = self.now_ns();
        open.push(Entry::Operation(event.clone()));
        event
    }

    /// Hands on what was recorded every 100 ms, for as long as it is polled.
    pub async fn flush_regularly(&self) {
        const EVERY_NS: u64 = 100_000_000;
        loop {
            self.clock.sleep_until(self.clock.now_ns() + EVERY_NS).await;
            self.open().flush();
        }
    }

    /// What was recorded so far.
    pub fn so_far(&self) -> History {
        self.open().history.clone().finish()
    }

    /// Ends the file. The history, and what went wrong with writing it, if anything did.
    pub fn finish(&self) -> (History, Option<String>) {
        let mut open = self.open();
        if let Some(recorder) = open.recorder.take()
            && let Err(error) = recorder.finish()
        {
            open.problem.get_or_insert(error.to_string());
        }
        (std::mem::take(&mut open.history).finish(), open.problem.take())
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn flush(&mut self) {
        if let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.flush()
        {
            self.problem = Some(error.to_string());
            self.recorder = None;
        }
    }

    fn push(&mut self, entry: Entry) {
        if let Some(recorder) = &mut self.recorder
            && let Err(error) = recorder.push(&entry)
        {
            self.problem = Some(error.to_string());
            self.recorder = None;
        }
        if let Err(error) = self.history.push(entry) {
            self.problem.get_or_insert(error.to_string());
        }
    }
}

impl perjury_nemesis::Record for Recording {
    fn fault(&self, mut event: FaultEvent) {
        let mut open = self.open();
        event.time_ns = self.now_ns();
        open.push(Entry::Fault(event));
    }
}

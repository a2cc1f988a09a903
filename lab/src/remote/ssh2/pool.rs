//! The threads that own a machine's connections.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::connection::Connection;
use super::exchange::exchange;
use crate::remote::call::{Deadline, Hearing};
use crate::remote::guard::Guarded;
use crate::remote::{Endpoint, RemoteError};

/// How many connections a machine may have at once: below the ten that sshd lets log in at the
/// same time (`MaxStartups`).
const CONNECTIONS_MAX: usize = 8;

/// How long an idle connection is kept.
const IDLE_MAX: Duration = Duration::from_secs(120);

/// A command for a worker.
pub(super) struct Job {
    pub(super) guarded: Guarded,
    pub(super) input: Box<dyn Read + Send>,
    pub(super) deadline: Deadline,
    /// What to say if it is not done by then.
    pub(super) late: RemoteError,
    pub(super) events: mpsc::Sender<Event>,
}

/// What a worker tells the task that waits for a command.
pub(super) enum Event {
    /// The command wrote this to standard output.
    Said(Vec<u8>),
    /// The command has ended, or cannot be carried.
    Done(Box<Result<Hearing, RemoteError>>),
}

impl Job {
    /// Whether nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.events.is_closed()
    }
}

/// One machine's workers, and what they have to do.
pub(super) struct Pool {
    pub(super) node: String,
    pub(super) endpoint: Endpoint,
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    workers: usize,
    idle: usize,
    closed: bool,
}

impl Pool {
    pub(super) fn new(node: String, endpoint: Endpoint) -> Self {
        Self { node, endpoint, state: Mutex::default(), news: Condvar::new() }
    }

    /// The state is whole whenever the lock is free, whoever panicked while holding it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a job into the queue, and sees to it that there is somebody to do it.
    ///
    /// # Errors
    /// If this machine has no thread left.
    pub(super) fn submit(self: &Arc<Self>, job: Job) -> Result<(), RemoteError> {
        let mut state = self.state();
        state.jobs.push_back(job);
        if state.jobs.len() > state.idle && state.workers < CONNECTIONS_MAX {
            let pool = Arc::clone(self);
            let thread = std::thread::Builder::new().name(format!("ssh {}", self.node));
            let started = thread.spawn(move || pool.work());
            match started {
                Ok(_) => state.workers += 1,
                Err(_) if state.workers > 0 => {}
                Err(error) => {
                    state.jobs.pop_back();
                    let (node, address) = (self.node.clone(), self.endpoint.address());
                    let problem = format!("no thread for it can be had here ({error})");
                    return Err(RemoteError::Unreachable { node, address, problem });
                }
            }
        }
        self.news.notify_one();
        Ok(())
    }

    /// Ends all workers once they are done with what they are doing.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.news.notify_all();
    }

    /// What a worker does all its life.
    fn work(&self) {
        let _leaving = Leaving(self);
        let mut connection = None;
        self.state().idle += 1;
        while let Some(job) = self.next() {
            let (events, deadline, late) = (job.events.clone(), job.deadline, job.late.clone());
            let result = match self.perform(&mut connection, job) {
                Err(RemoteError::Lost { .. }) if deadline.left().is_zero() => Err(late),
                result => result,
            };
            // Whoever hears the answer may have the next job, which needs no other worker.
            self.state().idle += 1;
            // Nobody may wait for it any more.
            let _ = events.blocking_send(Event::Done(Box::new(result)));
        }
    }

    /// The next job that somebody waits for; none if this worker, which counts as idle, is not
    /// needed any more.
    fn next(&self) -> Option<Job> {
        let since = Instant::now();
        let mut state = self.state();
        let job = loop {
            match state.jobs.pop_front() {
                Some(job) if job.is_abandoned() => continue,
                Some(job) => break Some(job),
                None => {}
            }
            let left = IDLE_MAX.saturating_sub(since.elapsed());
            if state.closed || left.is_zero() {
                break None;
            }
            let waited = self.news.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        };
        state.idle -= 1;
        job
    }

    /// Carries a job over the connection that there is, or a new one. Leaves a connection only if
    /// it can be used again.
    fn perform(
        &self,
        connection: &mut Option<Connection>,
        job: Job,
    ) -> Result<Hearing, RemoteError> {
        let lost = |problem: io::Error| RemoteError::Lost {
            node: self.node.clone(),
            problem: problem.to_string(),
        };
        let left = job.deadline.left();
        let kept = connection.take().map(|kept| (kept.channel(left), kept));
        let (channel, open) = match kept {
            Some((Ok(channel), kept)) => (channel, kept),
            // Nothing has been sent over it yet, so nothing is done twice.
            Some((Err(problem), _)) if job.deadline.left().is_zero() => return Err(lost(problem)),
            _ => {
                let limit = job.deadline.left().min(self.endpoint.connect_timeout);
                let new = Connection::open(&self.node, &self.endpoint, limit)?;
                (new.channel(job.deadline.left()).map_err(lost)?, new)
            }
        };
        let (hearing, closed) = exchange(&open, channel, job).map_err(lost)?;
        *connection = closed.then_some(open);
        Ok(hearing)
    }
}

/// Counts a worker out, even one that panics.
struct Leaving<'a>(&'a Pool);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.state().workers -= 1;
    }
}

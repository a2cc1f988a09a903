//! All machines of a run, and the time that the controller goes by.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use perjury_history::NodeId;
use tokio::runtime::Runtime;

use super::Machine;
use crate::Clock;

/// Real machines and real time. Clones are handles to the same lab.
#[derive(Clone)]
pub struct MachineLab {
    inner: Arc<Inner>,
}

struct Inner {
    name: &'static str,
    machines: Vec<Machine>,
    runtime: Option<Runtime>,
    began: Instant,
}

impl MachineLab {
    /// A lab of these machines, in the order of their nodes; `name` is its kind's. Everything about
    /// it happens in `runtime`.
    ///
    /// # Panics
    /// If the machines are not those of nodes 0, 1, 2, ...
    pub fn new(name: &'static str, machines: Vec<Machine>, runtime: Runtime) -> Self {
        for (index, machine) in machines.iter().enumerate() {
            assert_eq!(machine.node(), NodeId(index as u32), "machines are in order");
        }
        let inner = Inner { name, machines, runtime: Some(runtime), began: Instant::now() };
        Self { inner: Arc::new(inner) }
    }

    /// The kind's name in options, files and reports.
    pub fn name(&self) -> &'static str {
        self.inner.name
    }

    /// The machines, in the order of their nodes.
    pub fn machines(&self) -> &[Machine] {
        &self.inner.machines
    }

    /// A node's machine.
    pub fn machine(&self, node: NodeId) -> &Machine {
        &self.inner.machines[node.0 as usize]
    }

    /// The nodes, in order.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.inner.machines.iter().map(Machine::node).collect()
    }

    /// Runs `main` to its end. Not to be called from within another such call.
    pub fn run<F: Future>(&self, main: F) -> F::Output {
        let runtime = self.inner.runtime.as_ref().expect("it is taken only when dropped");
        runtime.block_on(main)
    }

    /// Does the same to every machine at once; the first error in the order of nodes, once all are
    /// done.
    ///
    /// # Errors
    /// What `work` returns.
    pub async fn each<'a, T, E, F: Future<Output = Result<T, E>>>(
        &'a self,
        work: impl Fn(&'a Machine) -> F,
    ) -> Result<Vec<T>, E> {
        join_all(self.machines().iter().map(work)).await.into_iter().collect()
    }
}

impl Drop for Inner {
    /// The last handle may go within the runtime itself, where waiting for its end is not allowed.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Clock for MachineLab {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.inner.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn sleep_until(&self, time_ns: u64) -> BoxFuture<'static, ()> {
        // Far enough in the future for any alarm, near enough for any clock.
        const YEARS: Duration = Duration::from_secs(10 * 365 * 86_400);
        let until = self.inner.began + Duration::from_nanos(time_ns).min(YEARS);
        async move { tokio::time::sleep_until(until.into()).await }.boxed()
    }
}

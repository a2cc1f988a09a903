//! How an operator has another node take over, and puts the cluster in order again.
//!
//! PostgreSQL fails over by hand. Two mistakes are settings here: to leave the old primary running
//! ([`fencing`](super::PostgresSettings::fencing)), and to promote a standby as it is although
//! another has more of the log ([`promotion`](super::PostgresSettings::promotion)).
//!
//! Every promotion begins a timeline of its own. PostgreSQL chooses the number by the timelines whose
//! history it finds, which a common archive of the log holds in production; here the operator tells
//! the node that is promoted which numbers are taken. So a timeline belongs to one node, and log
//! sequence numbers of one timeline can be compared.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use perjury_history::NodeId;
use perjury_lab::MachineLab;
use perjury_lab::machines::DaemonState;
use tokio::time::{Instant, sleep};

use super::PostgresStore;
use super::classify::Problem;
use super::files::DAEMON;
use super::operator::Role;
use super::settings::Promotion;
use super::standing::{Console, primary, standings};
use crate::StoreError;

/// How long a standby may take to get what another one has.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(10);

/// How long nodes may take to recover from a crash.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);

/// How long standbys have to find the primary by themselves before they are made anew.
const STREAM_LIMIT: Duration = Duration::from_secs(5);

const POLL: Duration = Duration::from_millis(100);

impl PostgresStore {
    /// Has `node` take over.
    pub(super) async fn take_over(&self, lab: &MachineLab, node: NodeId) -> Result<(), StoreError> {
        // What can be refused is refused before anything is stopped.
        let console = self.console(lab, node).await?;
        let before = standings(&self.endpoints(lab)).await;
        if before.iter().any(|it| it.node == node && it.leads.is_some()) {
            return Ok(());
        }
        let standbys = before.iter().filter(|it| it.leads.is_none()).count();
        let caught_up = self.settings.promotion == Promotion::CaughtUp;
        if caught_up {
            self.check_standbys(node, standbys)?;
        }
        let fenced = if self.settings.fencing { self.fence(lab, node).await } else { Vec::new() };
        if caught_up {
            self.catch_up(lab, node).await?;
        }
        let newest = before.iter().filter_map(|it| it.leads).max().unwrap_or(0);
        let newest = self.newest_timeline.fetch_max(newest, Ordering::Relaxed).max(newest);
        self.operator(lab, node).claim_timelines(newest).await?;
        if !console.promote().await.map_err(cannot(node, "take over"))? {
            return Err(cannot(node, "take over")(Problem::TimedOut));
        }
        let standing = console.standing(node).await.map_err(cannot(node, "take over"))?;
        self.newest_timeline.fetch_max(standing.leads.unwrap_or(0), Ordering::Relaxed);
        // pg_rewind must find the new timeline, and standbys must learn that they follow it.
        console.checkpoint().await.map_err(cannot(node, "make a checkpoint"))?;
        let leads = |it: &NodeId| before.iter().any(|one| one.node == *it && one.leads.is_some());
        let others = lab.nodes().into_iter().filter(|it| *it != node && !leads(it));
        // Those that cannot be told now are told when the cluster is put in order.
        join_all(others.map(|other| self.redirect(lab, other, node))).await;
        for old in fenced {
            // It may be cut off from the new primary; then it is brought back later.
            let operator = self.operator(lab, old);
            if operator.rewind(lab.machine(node)).await.is_ok() {
                operator.start().await?;
            }
        }
        Ok(())
    }

    /// Stops all nodes but `node` that would lead, whether they answer or not. Those that ran are
    /// returned, to be brought back as standbys.
    async fn fence(&self, lab: &MachineLab, node: NodeId) -> Vec<NodeId> {
        let others = lab.nodes().into_iter().filter(|it| *it != node);
        let stopped = others.map(async |other| {
            let operator = self.operator(lab, other);
            // A machine that cannot be reached cannot be fenced.
            let leads = matches!(operator.role().await, Ok(Role::Primary { .. }));
            let state = operator.machine.daemon_state(DAEMON).await.ok()?;
            if leads && state != DaemonState::Stopped {
                operator.stop().await.ok()?;
            }
            (leads && state == DaemonState::Running).then_some(other)
        });
        join_all(stopped).await.into_iter().flatten().collect()
    }

    /// Has a standby follow `source` from now on.
    async fn redirect(
        &self,
        lab: &MachineLab,
        node: NodeId,
        source: NodeId,
    ) -> Result<(), StoreError> {
        let console = self.console(lab, node).await?;
        self.operator(lab, node).write_upstream(lab.machine(source)).await?;
        console.reload().await.map_err(cannot(node, "follow"))
    }

    /// Whether so many standbys certainly have, together, all that was ever acknowledged: fewer are
    /// missing than a commit waits for.
    fn check_standbys(&self, node: NodeId, standbys: usize) -> Result<(), StoreError> {
        let awaited = self.settings.awaited_standbys(self.nodes).max(1);
        let needed = (self.nodes - awaited) as usize;
        if standbys >= needed {
            return Ok(());
        }
        Err(refused(
            node,
            format!(
                "{standbys} standbys answer, and an acknowledged commit is only certain to be on \
                 one of any {needed}"
            ),
        ))
    }

    /// Sees to it that a standby has all that any standby has, and that nothing else was ever
    /// acknowledged.
    async fn catch_up(&self, lab: &MachineLab, node: NodeId) -> Result<(), StoreError> {
        let endpoints = self.endpoints(lab);
        let standbys = standings(&endpoints).await.into_iter().filter(|it| it.leads.is_none());
        let followed = standbys.map(async |standing| {
            let console = Console::open(&endpoints[standing.node.0 as usize]).await.ok()?;
            Some((console.followed_timeline().await.ok()?, standing.position, standing.node))
        });
        let standbys: Vec<_> = join_all(followed).await.into_iter().flatten().collect();
        self.check_standbys(node, standbys.len())?;
        let Some(&(timeline, position, best)) = standbys.iter().max() else {
            return Err(refused(node, "no standby answers".to_owned()));
        };
        let has_all =
            |it: &(u64, u64, NodeId)| it.2 == node && (it.0, it.1) == (timeline, position);
        if standbys.iter().any(has_all) {
            return Ok(());
        }
        self.redirect(lab, node, best).await?;
        let until = Instant::now() + CATCH_UP_LIMIT;
        let console = self.console(lab, node).await?;
        loop {
            let standing = console.standing(node).await.map_err(cannot(node, "take over"))?;
            let here = console.followed_timeline().await.map_err(cannot(node, "take over"))?;
            if (here, standing.position) >= (timeline, position) {
                return Ok(());
            }
            if Instant::now() >= until {
                let limit = CATCH_UP_LIMIT.as_secs();
                return Err(refused(
                    node,
                    format!("it did not get what {best} has within {limit} s"),
                ));
            }
            sleep(POLL).await;
        }
    }

    /// Starts a node as what it is to be.
    pub(super) async fn bring_up(&self, lab: &MachineLab, node: NodeId) -> Result<(), StoreError> {
        let operator = self.operator(lab, node);
        match operator.role().await? {
            Role::Empty => {
                let source = self.await_primary(lab, node).await?;
                operator.copy(lab.machine(source)).await?;
            }
            Role::Primary { timeline } if self.settings.fencing => {
                let others = standings(&self.endpoints(lab)).await;
                let successor = primary(&others).filter(|it| it.leads > Some(timeline));
                if let Some(successor) = successor.map(|it| lab.machine(it.node)) {
                    // If the two cannot reach each other it must not lead all the same.
                    if operator.rewind(successor).await.is_err() {
                        operator.demote(successor).await?;
                    }
                }
            }
            Role::Primary { .. } | Role::Standby => {}
        }
        Ok(operator.start().await?)
    }

    /// A standby is copied from a primary, which may just have been started.
    async fn await_primary(&self, lab: &MachineLab, node: NodeId) -> Result<NodeId, StoreError> {
        const LIMIT: Duration = Duration::from_secs(30);
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(found) = primary(&standings(&self.endpoints(lab)).await) {
                return Ok(found.node);
            }
            if Instant::now() >= until {
                let problem = format!("no node was a primary within {} s", LIMIT.as_secs());
                return Err(StoreError::Unreachable { node, what: "be made a standby", problem });
            }
            sleep(POLL).await;
        }
    }

    /// When all faults are healed: one primary, that of the latest timeline, and all others follow
    /// it. What they have and it has not is undone.
    pub(super) async fn put_in_order(&self, lab: &MachineLab) -> Result<(), StoreError> {
        for node in lab.nodes() {
            // Whoever was fenced may be needed; one that cannot be started is made anew below.
            if self.operator(lab, node).role().await? != Role::Empty {
                let _ = self.bring_up(lab, node).await;
            }
        }
        let Some(leader) = self.settled_primary(lab).await? else {
            // None answers: await_ready says what is missing.
            return Ok(());
        };
        let console = self.console(lab, leader).await?;
        console.checkpoint().await.map_err(cannot(leader, "make a checkpoint"))?;
        let others: Vec<_> = lab.nodes().into_iter().filter(|it| *it != leader).collect();
        join_all(others.iter().map(|other| self.redirect(lab, *other, leader))).await;
        let lost = self.await_standbys(&console, leader, others).await?;
        let rejoined = lost.iter().map(|node| self.rejoin(lab, *node, leader));
        join_all(rejoined).await.into_iter().collect()
    }

    /// The primary of the latest timeline, once the nodes that were just started have told where
    /// they stand. If there is none, the standby that has most becomes it.
    async fn settled_primary(&self, lab: &MachineLab) -> Result<Option<NodeId>, StoreError> {
        let endpoints = self.endpoints(lab);
        let until = Instant::now() + SETTLE_LIMIT;
        loop {
            let found = standings(&endpoints).await;
            let all = found.len() == endpoints.len();
            if !all && Instant::now() < until {
                sleep(POLL).await;
                continue;
            }
            if let Some(leader) = primary(&found) {
                return Ok(Some(leader.node));
            }
            let best = found.iter().max_by_key(|it| it.position).map(|it| it.node);
            if let Some(best) = best {
                self.take_over(lab, best).await?;
            }
            return Ok(best);
        }
    }

    /// Those of `others` that do not come to follow the leader by themselves.
    async fn await_standbys(
        &self,
        console: &Console,
        leader: NodeId,
        others: Vec<NodeId>,
    ) -> Result<Vec<NodeId>, StoreError> {
        let until = Instant::now() + STREAM_LIMIT;
        loop {
            let streams_to = console.streams_to().await.map_err(cannot(leader, "tell standbys"))?;
            let lost = others.iter().filter(|it| !streams_to.contains(&it.to_string()));
            let lost: Vec<_> = lost.copied().collect();
            if lost.is_empty() || Instant::now() >= until {
                return Ok(lost);
            }
            sleep(POLL).await;
        }
    }

    /// Makes a node a standby of `leader`, whatever it was.
    async fn rejoin(
        &self,
        lab: &MachineLab,
        node: NodeId,
        leader: NodeId,
    ) -> Result<(), StoreError> {
        let operator = self.operator(lab, node);
        operator.stop().await?;
        let leader = lab.machine(leader);
        // The log that a rewind needs may be gone, or the data be damaged.
        let whole = operator.role().await? != Role::Empty;
        if !whole || operator.rewind(leader).await.is_err() {
            operator.copy(leader).await?;
        }
        Ok(operator.start().await?)
    }

    /// What keeps the cluster from serving, if anything does.
    pub(super) async fn find_trouble(&self, lab: &MachineLab) -> Option<String> {
        let found = standings(&self.endpoints(lab)).await;
        let silent = lab.nodes().into_iter().find(|node| found.iter().all(|it| it.node != *node));
        if let Some(node) = silent {
            return Some(format!("{node} does not answer"));
        }
        let Some(leader) = primary(&found) else {
            return Some("no node is a primary".to_owned());
        };
        let rival = found.iter().find(|it| it.leads.is_some() && it.node != leader.node);
        if let Some(rival) = rival {
            return Some(format!("{} and {} are both primaries", leader.node, rival.node));
        }
        let streams_to =
            async || Console::open(&self.endpoint(lab, leader.node)).await?.streams_to().await;
        let Ok(streams_to) = streams_to().await else {
            return Some(format!("{} does not answer", leader.node));
        };
        let follows = |it: &NodeId| *it == leader.node || streams_to.contains(&it.to_string());
        let lost = lab.nodes().into_iter().find(|it| !follows(it));
        lost.map(|node| format!("{node} does not follow {}", leader.node))
    }

    async fn console(&self, lab: &MachineLab, node: NodeId) -> Result<Console, StoreError> {
        let opened = Console::open(&self.endpoint(lab, node)).await;
        opened.map_err(cannot(node, "answer an operator"))
    }
}

fn refused(node: NodeId, problem: String) -> StoreError {
    StoreError::Unreachable { node, what: "take over without a loss", problem }
}

fn cannot(node: NodeId, what: &'static str) -> impl Fn(Problem) -> StoreError {
    move |problem| StoreError::Unreachable { node, what, problem: problem.to_string() }
}

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
use tokio::time::{Instant, sleep};

use super::PostgresStore;
use super::classify::Problem;
use super::operator::Role;
use super::settings::Promotion;
use super::standing::{Console, Standing, primary, standings};
use crate::StoreError;

/// How long a standby may take to get what another one has.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(10);

/// How long standbys have to find the primary by themselves before they are made anew.
const STREAM_LIMIT: Duration = Duration::from_secs(5);

const POLL: Duration = Duration::from_millis(100);

impl PostgresStore {
    /// Has `node` take over.
    pub(super) async fn take_over(&self, lab: &MachineLab, node: NodeId) -> Result<(), StoreError> {
        let before = standings(&self.endpoints(lab)).await;
        let deposed: Vec<_> = before.iter().filter(|it| it.leads.is_some()).collect();
        let deposed: Vec<_> = deposed.iter().map(|it| it.node).filter(|it| *it != node).collect();
        let newest = before.iter().filter_map(|it| it.leads).max().unwrap_or(0);
        let newest = self.newest_timeline.fetch_max(newest, Ordering::Relaxed).max(newest);
        if self.settings.fencing {
            join_all(deposed.iter().map(async |old| {
                // One that cannot be reached cannot be fenced.
                let _ = self.operator(lab, *old).stop().await;
            }))
            .await;
        }
        let console = self.console(lab, node).await?;
        let standing = console.standing(node).await.map_err(cannot(node, "take over"))?;
        if standing.leads.is_some() {
            return Ok(());
        }
        if self.settings.promotion == Promotion::CaughtUp {
            self.catch_up(lab, node).await?;
        }
        self.operator(lab, node).claim_timelines(newest).await?;
        if !console.promote().await.map_err(cannot(node, "take over"))? {
            return Err(cannot(node, "take over")(Problem::TimedOut));
        }
        let standing = console.standing(node).await.map_err(cannot(node, "take over"))?;
        self.newest_timeline.fetch_max(standing.leads.unwrap_or(0), Ordering::Relaxed);
        // pg_rewind must find the new timeline, and standbys must learn that they follow it.
        console.checkpoint().await.map_err(cannot(node, "make a checkpoint"))?;
        let others = lab.nodes().into_iter().filter(|it| *it != node && !deposed.contains(it));
        // Those that cannot be told now are told when the cluster is put in order.
        join_all(others.map(|other| self.redirect(lab, other, node))).await;
        if self.settings.fencing {
            for old in deposed {
                // It may be cut off from the new primary.
                let rewound = self.operator(lab, old).rewind(lab.machine(node)).await;
                if rewound.is_ok() {
                    self.operator(lab, old).start().await?;
                }
            }
        }
        Ok(())
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

    /// Sees to it that a standby has all that any standby has, and that this is all that was ever
    /// acknowledged: of the standbys, fewer than a commit waits for are missing.
    async fn catch_up(&self, lab: &MachineLab, node: NodeId) -> Result<(), StoreError> {
        let refused = |problem: String| StoreError::Unreachable {
            node,
            what: "take over without a loss",
            problem,
        };
        let endpoints = self.endpoints(lab);
        let standbys = standings(&endpoints).await.into_iter().filter(|it| it.leads.is_none());
        let followed = standbys.map(async |standing| {
            let console = Console::open(&endpoints[standing.node.0 as usize]).await.ok()?;
            Some((console.followed_timeline().await.ok()?, standing.position, standing.node))
        });
        let standbys: Vec<_> = join_all(followed).await.into_iter().flatten().collect();
        let awaited = self.settings.awaited_standbys(self.nodes).max(1);
        let needed = (self.nodes - awaited) as usize;
        if standbys.len() < needed {
            return Err(refused(format!(
                "{} standbys answer, and an acknowledged commit is only certain to be on one of \
                 any {needed}",
                standbys.len()
            )));
        }
        let Some(&(timeline, position, best)) = standbys.iter().max() else {
            return Err(refused("no standby answers".to_owned()));
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
                return Err(refused(format!("it did not get what {best} has within {limit} s")));
            }
            sleep(POLL).await;
        }
    }

    /// Starts a node as what it is to be.
    pub(super) async fn bring_up(&self, lab: &MachineLab, node: NodeId) -> Result<(), StoreError> {
        let operator = self.operator(lab, node);
        let role = operator.role().await?;
        if role == Role::Empty {
            let source = self.await_primary(lab, node).await?;
            operator.copy(lab.machine(source)).await?;
        } else if role == Role::Primary && self.settings.fencing {
            let others = standings(&self.endpoints(lab)).await;
            if let Some(successor) = primary(&others).filter(|it| it.node != node) {
                let successor = lab.machine(successor.node);
                // If the two cannot reach each other it must not lead all the same.
                if operator.rewind(successor).await.is_err() {
                    operator.demote(successor).await?;
                }
            }
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
        let endpoints = self.endpoints(lab);
        let found = standings(&endpoints).await;
        let leader = match primary(&found) {
            Some(leader) => leader.node,
            None => {
                let best = found.iter().max_by_key(|it| it.position);
                let Some(Standing { node, .. }) = best else {
                    // None answers: await_ready says what is missing.
                    return Ok(());
                };
                self.take_over(lab, *node).await?;
                *node
            }
        };
        let console = self.console(lab, leader).await?;
        console.checkpoint().await.map_err(cannot(leader, "make a checkpoint"))?;
        let mut missing = Vec::new();
        let until = Instant::now() + STREAM_LIMIT;
        let rivals = found.iter().filter(|it| it.leads.is_some() && it.node != leader);
        let rivals: Vec<_> = rivals.map(|it| it.node).collect();
        for other in lab.nodes().into_iter().filter(|it| *it != leader && !rivals.contains(it)) {
            // One that does not answer is made anew below.
            let _ = self.redirect(lab, other, leader).await;
        }
        loop {
            let streams_to = console.streams_to().await.map_err(cannot(leader, "tell standbys"))?;
            missing.clear();
            let others = lab.nodes().into_iter().filter(|it| *it != leader);
            missing.extend(others.filter(|it| !streams_to.contains(&it.to_string())));
            if missing.iter().all(|it| rivals.contains(it)) || Instant::now() >= until {
                break;
            }
            sleep(POLL).await;
        }
        let rejoined = missing.iter().map(|node| self.rejoin(lab, *node, leader));
        join_all(rejoined).await.into_iter().collect()
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
    pub(super) async fn trouble(&self, lab: &MachineLab) -> Option<String> {
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

fn cannot(node: NodeId, what: &'static str) -> impl Fn(Problem) -> StoreError {
    move |problem| StoreError::Unreachable { node, what, problem: problem.to_string() }
}

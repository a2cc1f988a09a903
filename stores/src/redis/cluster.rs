//! The servers and Sentinels of a lab as an operator sees them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use perjury_history::NodeId;
use perjury_lab::MachineLab;
use redis::{Cmd, FromRedisValue, Value, cmd, from_redis_value};
use tokio::time::{Instant, sleep};

use super::configuration::MASTER_NAME;
use super::connection::Connection;
use super::failure::Failure;

/// The port of servers.
pub(super) const SERVER_PORT: u16 = 6379;

/// The port of Sentinels.
pub(super) const SENTINEL_PORT: u16 = 26379;

/// How long an operator waits for an answer of who may be down.
const GLANCE_LIMIT: Duration = Duration::from_secs(1);

/// And of who should be up.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long Sentinels may take to learn whom one of them is to promote.
const CANDIDATE_LIMIT: Duration = Duration::from_secs(10);

/// How long a failover may take.
const FAILOVER_LIMIT: Duration = Duration::from_secs(10);

const PROMOTION_POLL: Duration = Duration::from_millis(50);

/// Where a node's two daemons listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoints {
    pub(super) server: SocketAddr,
    pub(super) sentinel: SocketAddr,
}

/// All nodes, in order.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) nodes: Vec<Endpoints>,
}

/// What a server takes itself for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Master,
    Replica {
        /// Whom it follows.
        master: SocketAddr,
        /// Whether it has all that its master had when they met.
        connected: bool,
    },
}

impl Cluster {
    /// Of a lab's machines.
    pub(super) fn of(lab: &MachineLab) -> Self {
        let endpoints = |address: IpAddr| Endpoints {
            server: SocketAddr::new(address, SERVER_PORT),
            sentinel: SocketAddr::new(address, SENTINEL_PORT),
        };
        Self { nodes: lab.machines().iter().map(|it| endpoints(it.address())).collect() }
    }

    /// The node of a server.
    pub(super) fn node_at(&self, server: SocketAddr) -> Option<NodeId> {
        let index = self.nodes.iter().position(|it| it.server == server)?;
        Some(NodeId(index as u32))
    }

    pub(super) fn endpoints(&self, node: NodeId) -> Endpoints {
        self.nodes[node.0 as usize]
    }

    /// What a node's server takes itself for.
    pub(super) async fn role(&self, node: NodeId) -> Result<Role, Failure> {
        let deadline = Instant::now() + GLANCE_LIMIT;
        let mut connection = Connection::open(self.endpoints(node).server, deadline).await?;
        role(&mut connection, deadline).await
    }

    /// The nodes that take themselves for the master.
    pub(super) async fn masters(&self) -> Vec<NodeId> {
        let roles = join_all(self.nodes().map(async |node| (node, self.role(node).await))).await;
        let masters = roles.into_iter().filter(|(_, role)| *role == Ok(Role::Master));
        masters.map(|(node, _)| node).collect()
    }

    /// What keeps the store from serving on every node, if anything does.
    pub(super) async fn trouble(&self) -> Option<String> {
        let nodes: Vec<_> = self.nodes().collect();
        let mut roles = Vec::new();
        for (node, role) in nodes.iter().zip(join_all(nodes.iter().map(|it| self.role(*it))).await)
        {
            match role {
                Ok(role) => roles.push((*node, role)),
                Err(failure) => return Some(format!("the server of {node}: {}", failure.reason())),
            }
        }
        let masters: Vec<_> = roles.iter().filter(|(_, role)| *role == Role::Master).collect();
        let &[(master, _)] = masters.as_slice() else {
            return Some(format!("expected one master, found {}", masters.len()));
        };
        let server = self.endpoints(*master).server;
        let follows = |role: &Role| *role == Role::Replica { master: server, connected: true };
        let astray = roles.iter().find(|(node, role)| node != master && !follows(role));
        if let Some((node, _)) = astray {
            return Some(format!("{node} does not follow the master {master} yet"));
        }
        let views = join_all(nodes.iter().map(|node| self.sentinel_trouble(*node, server))).await;
        views.into_iter().flatten().next()
    }

    /// What keeps a node's Sentinel from replacing the master when it is to, if anything does.
    async fn sentinel_trouble(&self, node: NodeId, master: SocketAddr) -> Option<String> {
        let view = match self.ask_sentinel(node, "MASTER", GLANCE_LIMIT).await {
            Ok(view) => view,
            Err(failure) => return Some(format!("the Sentinel of {node}: {}", failure.reason())),
        };
        let view: BTreeMap<String, String> = from_redis_value(view).unwrap_or_default();
        let field = |name: &str| view.get(name).map_or("", String::as_str);
        let expected = (self.nodes.len() - 1).to_string();
        let wanted = [
            ("ip", master.ip().to_string()),
            ("port", master.port().to_string()),
            ("flags", "master".to_owned()),
            ("num-slaves", expected.clone()),
            ("num-other-sentinels", expected),
        ];
        let wrong = wanted.iter().find(|(name, value)| field(name) != value);
        wrong.map(|(name, value)| {
            format!("the Sentinel of {node}: expected {name} {value}, found {}", field(name))
        })
    }

    /// Has the Sentinel of a node make that node the master, without asking the others, and waits
    /// until it is. Sentinel chooses by priority, so the node is given the best one meanwhile.
    pub(super) async fn promote(&self, node: NodeId) -> Result<(), Failure> {
        if self.role(node).await? == Role::Master {
            return Ok(());
        }
        let priority = |value: &str| {
            let mut command = cmd("CONFIG");
            command.arg("SET").arg("replica-priority").arg(value);
            command
        };
        let server = self.endpoints(node).server;
        ask::<()>(server, &priority("1"), ANSWER_LIMIT).await?;
        let told = self.promote_preferred(node).await;
        told.and(ask::<()>(server, &priority("100"), ANSWER_LIMIT).await)
    }

    async fn promote_preferred(&self, node: NodeId) -> Result<(), Failure> {
        // Sentinels ask replicas for their role and priority every ten seconds only.
        self.look_every(100).await;
        let known = self.await_candidate(node).await;
        self.look_every(10_000).await;
        known?;
        self.ask_sentinel(node, "FAILOVER", ANSWER_LIMIT).await?;
        let until = Instant::now() + FAILOVER_LIMIT;
        while self.role(node).await != Ok(Role::Master) {
            if Instant::now() >= until {
                let problem = "its Sentinel began a failover and gave it up";
                return Err(Failure::Unanswered(problem.to_owned()));
            }
            sleep(PROMOTION_POLL).await;
        }
        Ok(())
    }

    fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// Has all Sentinels look at replicas more or less often. One that does not answer is none whose
    /// view could matter.
    async fn look_every(&self, ms: u64) {
        let mut command = cmd("SENTINEL");
        command.arg("DEBUG").arg("INFO-PERIOD").arg(ms);
        let told = self.nodes.iter().map(|it| ask::<()>(it.sentinel, &command, GLANCE_LIMIT));
        join_all(told).await;
    }

    /// Waits until a node's Sentinel knows its priority, and every Sentinel knows it as a replica: one
    /// that still takes it for a master that came back would soon have it follow again.
    async fn await_candidate(&self, node: NodeId) -> Result<(), Failure> {
        let until = Instant::now() + CANDIDATE_LIMIT;
        loop {
            let views = self.nodes().map(async |it| (it, self.replica_seen_by(it, node).await));
            let views = join_all(views).await;
            let is = |seen: &BTreeMap<String, String>, name, value| {
                seen.get(name).is_some_and(|it: &String| it == value)
            };
            let ready = views.iter().all(|(by, seen)| match seen {
                Ok(seen) => {
                    is(seen, "role-reported", "slave")
                        && (*by != node || is(seen, "slave-priority", "1"))
                }
                Err(_) => *by != node,
            });
            if ready {
                return Ok(());
            }
            if Instant::now() >= until {
                let problem = "the Sentinels do not learn that it is a replica to be the master";
                return Err(Failure::Unasked(problem.to_owned()));
            }
            sleep(PROMOTION_POLL).await;
        }
    }

    /// What a Sentinel knows of a node's server as a replica; nothing if it is none to it.
    async fn replica_seen_by(
        &self,
        by: NodeId,
        node: NodeId,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let name = self.endpoints(node).server.to_string();
        let replicas = self.ask_sentinel(by, "REPLICAS", GLANCE_LIMIT).await?;
        let replicas: Vec<BTreeMap<String, String>> =
            from_redis_value(replicas).unwrap_or_default();
        let seen = replicas.into_iter().find(|it| it.get("name") == Some(&name));
        Ok(seen.unwrap_or_default())
    }

    /// Asks a node's Sentinel something, over a connection of its own.
    async fn ask_sentinel(
        &self,
        node: NodeId,
        question: &str,
        limit: Duration,
    ) -> Result<Value, Failure> {
        ask(self.endpoints(node).sentinel, &sentinel_command(question), limit).await
    }
}

/// A question to a Sentinel about the master and its replicas.
pub(super) fn sentinel_command(question: &str) -> Cmd {
    let mut command = cmd("SENTINEL");
    command.arg(question).arg(MASTER_NAME);
    command
}

/// An operator's question, over a connection of its own.
async fn ask<T: FromRedisValue>(
    address: SocketAddr,
    command: &Cmd,
    limit: Duration,
) -> Result<T, Failure> {
    let deadline = Instant::now() + limit;
    let answer = Connection::open(address, deadline).await?.ask(command, deadline).await?;
    from_redis_value(answer).map_err(|error| Failure::Unanswered(error.to_string()))
}

/// What the server takes itself for.
pub(super) async fn role(connection: &mut Connection, deadline: Instant) -> Result<Role, Failure> {
    let answer = connection.ask(&cmd("ROLE"), deadline).await?;
    let Value::Array(fields) = &answer else {
        return Err(Failure::Unanswered(format!("expected a role, found {answer:?}")));
    };
    let text = |index: usize| {
        fields.get(index).and_then(|it| redis::from_redis_value_ref::<String>(it).ok())
    };
    let master = || Some(SocketAddr::new(text(1)?.parse().ok()?, text(2)?.parse().ok()?));
    match text(0).as_deref() {
        Some("master") => Ok(Role::Master),
        Some("slave") => match master() {
            Some(master) => {
                Ok(Role::Replica { master, connected: text(3).as_deref() == Some("connected") })
            }
            None => Err(Failure::Unanswered(format!("expected a master, found {answer:?}"))),
        },
        _ => Err(Failure::Unanswered(format!("expected a role, found {answer:?}"))),
    }
}

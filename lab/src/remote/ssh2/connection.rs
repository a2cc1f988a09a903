//! One SSH connection, from its opening to its end.

use std::io;
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{SockRef, TcpKeepalive};
use ssh2::{BlockDirections, Channel, Session};

use super::{host_key, login};
use crate::remote::{Endpoint, RemoteError};

/// A connection that is logged in. It belongs to one thread.
pub(super) struct Connection {
    session: Session,
    socket: TcpStream,
}

impl Connection {
    /// Connects and logs in within `limit`.
    ///
    /// # Errors
    /// If nobody answers, or with another key than the known one, or does not let us in.
    pub(super) fn open(
        node: &str,
        endpoint: &Endpoint,
        limit: Duration,
    ) -> Result<Self, RemoteError> {
        let until = Instant::now() + limit;
        let unreachable = |problem: &dyn std::fmt::Display| RemoteError::Unreachable {
            node: node.to_owned(),
            address: endpoint.address(),
            problem: problem.to_string(),
        };
        let socket = dial(endpoint, until).map_err(|error| unreachable(&error))?;
        let opened = || -> Result<_, io::Error> {
            // Commands are small and waited for.
            socket.set_nodelay(true)?;
            keep_alive(&socket)?;
            let mut session = Session::new()?;
            session.set_tcp_stream(socket.try_clone()?);
            Ok(session)
        };
        let session = opened().map_err(|error| unreachable(&error))?;
        let mut connection = Self { session, socket };
        host_key::prefer_known(&connection.session, endpoint);
        connection.within(until);
        let shaken = connection.session.handshake();
        shaken.map_err(|error| unreachable(&format!("no SSH server answers there ({error})")))?;
        host_key::check(&connection.session, node, endpoint)?;
        login::log_in(&connection, node, endpoint, until)?;
        Ok(connection)
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// From now on calls of the session block, until then at most.
    pub(super) fn within(&self, until: Instant) {
        let left = until.saturating_duration_since(Instant::now()).as_millis();
        self.session.set_blocking(true);
        // 0 would be without end.
        self.session.set_timeout(u32::try_from(left).unwrap_or(u32::MAX).max(1));
    }

    /// Opens a channel for one command, within `limit`.
    pub(super) fn channel(&self, limit: Duration) -> io::Result<Channel> {
        self.within(Instant::now() + limit.min(Duration::from_secs(86_400)));
        Ok(self.session.channel_session()?)
    }

    /// From now on calls of the session return at once.
    pub(super) fn at_once(&self) {
        self.session.set_blocking(false);
    }

    /// Waits until the session can go on, or for `limit`.
    pub(super) fn wait(&self, limit: Duration) -> io::Result<()> {
        let flags = match self.session.block_directions() {
            BlockDirections::None | BlockDirections::Inbound => PollFlags::POLLIN,
            BlockDirections::Outbound => PollFlags::POLLOUT,
            BlockDirections::Both => PollFlags::POLLIN | PollFlags::POLLOUT,
        };
        let mut sockets = [PollFd::new(self.socket.as_fd(), flags)];
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        match poll(&mut sockets, limit) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Connection {
    /// libssh2 says good-bye politely, and would wait for a peer that is frozen.
    fn drop(&mut self) {
        self.session.set_blocking(false);
        let _ = self.session.disconnect(None, "done", None);
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Has the system look whether the machine is still there: also while nothing is said, so that no
/// firewall on the way forgets the connection. One to a machine that is gone breaks.
fn keep_alive(socket: &TcpStream) -> io::Result<()> {
    const EVERY: Duration = Duration::from_secs(15);
    const GONE: Duration = Duration::from_secs(60);
    let socket = SockRef::from(socket);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(EVERY).with_interval(EVERY))?;
    socket.set_tcp_user_timeout(Some(GONE))
}

/// Connects to the first address that answers; each has its share of the time.
fn dial(endpoint: &Endpoint, until: Instant) -> io::Result<TcpStream> {
    let addresses: Vec<_> = (endpoint.host.as_str(), endpoint.port()).to_socket_addrs()?.collect();
    let mut problem = io::Error::other("its name has no address");
    for (index, address) in addresses.iter().enumerate() {
        let rest = u32::try_from(addresses.len() - index).unwrap_or(1);
        let share = until.saturating_duration_since(Instant::now()) / rest;
        match TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))) {
            Ok(socket) => return Ok(socket),
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

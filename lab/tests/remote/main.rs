//! All ways to a machine, against this one: directly, and by an SSH server of our own.

mod connections;
mod lab;
mod server;

mod suite;
mod users;

use perjury_lab::remote::{LocalRemote, OpenSshRemote, Ssh2Remote};
use server::{Server, skipped};

#[tokio::test]
async fn local() {
    if !nix::unistd::geteuid().is_root() {
        return println!("skipped: only root can become root here");
    }
    suite::all(&LocalRemote).await;
}

#[tokio::test]
async fn ssh2() {
    if skipped() {
        return;
    }
    let server = Server::start();
    suite::all(&Ssh2Remote::new("n1", server.endpoint())).await;
}

#[tokio::test]
async fn openssh() {
    if skipped() {
        return;
    }
    let server = Server::start();
    let remote = OpenSshRemote::new("n1", server.endpoint()).expect("a folder");
    suite::all(&remote).await;
}

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

/// What a stand-in for etcd does with the next request.
#[derive(Clone, Copy)]
enum Act {
    Answer(u32, &'static str),
    AnswerAndClose(&'static str),
    /// Promises more than it says, then closes.
    Break,
    Close,
    Silence,
}

/// A server that acts so, one request after the other; tells the number of the connection on which
/// each of them came.
async fn server(acts: &'static [Act]) -> (SocketAddr, mpsc::UnboundedReceiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (mut acts, mut connections, mut silent) = (acts.iter(), 0, Vec::new());
        while acts.len() > 0 {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            connections += 1;
            while read_request(&mut stream).await {
                let _ = tell.send(connections);
                let answer = |status: u32, length: usize, body: &str| {
                    format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}")
                };
                let (answer, closes) = match acts.next() {
                    Some(Act::Answer(status, body)) => (answer(*status, body.len(), body), false),
                    Some(Act::AnswerAndClose(body)) => (answer(200, body.len(), body), true),
                    Some(Act::Break) => (answer(200, 100, "{"), true),
                    Some(Act::Close) => (String::new(), true),
                    Some(Act::Silence) | None => {
                        silent.push(stream);
                        break;
                    }
                };
                if stream.write_all(answer.as_bytes()).await.is_err() || closes {
                    break;
                }
            }
        }
        // A silent connection stays open.
        std::future::pending::<()>().await;
    });
    (address, told)
}

/// Reads up to the end of a small JSON body.
async fn read_request(stream: &mut TcpStream) -> bool {
    let (mut read, mut buffer) = (Vec::new(), [0; 1_024]);
    while !read.ends_with(b"}") {
        match stream.read(&mut buffer).await {
            Ok(length) if length > 0 => read.extend_from_slice(&buffer[..length]),
            _ => return false,
        }
    }
    true
}

async fn call(gateway: &mut Gateway) -> Result<Value, CallError> {
    call_within(gateway, Duration::from_secs(30)).await
}

async fn call_within(gateway: &mut Gateway, timeout: Duration) -> Result<Value, CallError> {
    gateway.call("/v3/kv/range", &json!({ "key": "eA==" }), Instant::now() + timeout).await
}

#[tokio::test]
async fn one_connection_serves_many_calls() {
    let acts = &[Act::Answer(200, r#"{"count":"1"}"#), Act::Answer(200, r#"{"count":"2"}"#)];
    let (address, mut told) = server(acts).await;
    let mut gateway = Gateway::new(address);
    assert_eq!(call(&mut gateway).await, Ok(json!({ "count": "1" })));
    assert_eq!(call(&mut gateway).await, Ok(json!({ "count": "2" })));
    assert_eq!((told.recv().await, told.recv().await), (Some(1), Some(1)));
}

#[tokio::test]
async fn a_call_that_nobody_hears_was_not_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let refused = call(&mut Gateway::new(address)).await;
    assert_eq!(refused, Err(CallError::Unsent("connection refused")));
}

#[tokio::test]
async fn an_error_is_read() {
    let acts = &[
        Act::Answer(404, r#"{"error":"e","message":"etcdserver: no","code":5}"#),
        Act::Answer(404, "Not Found"),
        Act::Answer(200, "[1, 2"),
    ];
    let (address, _told) = server(acts).await;
    let mut gateway = Gateway::new(address);
    let answered = CallError::Answered { code: 5, message: "etcdserver: no".to_owned() };
    assert_eq!(call(&mut gateway).await, Err(answered));
    assert_eq!(call(&mut gateway).await, Err(CallError::Unreadable));
    assert_eq!(call(&mut gateway).await, Err(CallError::Unreadable));
}

#[tokio::test]
async fn a_lost_connection_leaves_the_call_unanswered_and_the_next_call_opens_another() {
    let acts = &[Act::Close, Act::Break, Act::AnswerAndClose("{}"), Act::Answer(200, "{}")];
    let (address, mut told) = server(acts).await;
    let mut gateway = Gateway::new(address);
    let lost = Err(CallError::Unanswered("connection lost"));
    assert_eq!(call(&mut gateway).await, lost);
    assert_eq!(call(&mut gateway).await, lost);
    assert_eq!(call(&mut gateway).await, Ok(json!({})));
    // The server closes behind its answer. Whether that is seen before the next request leaves or
    // after it, nothing is sent twice.
    let after = call(&mut gateway).await;
    let requests = match after {
        Ok(_) => 4,
        Err(_) => 3,
    };
    for request in 1..=requests {
        assert_eq!(told.recv().await, Some(request));
    }
    assert!(told.try_recv().is_err(), "no request comes twice");
}

#[tokio::test]
async fn a_late_answer_is_never_taken_for_that_of_the_next_call() {
    let acts = &[Act::Silence, Act::Answer(200, r#"{"count":"2"}"#)];
    let (address, mut told) = server(acts).await;
    let mut gateway = Gateway::new(address);
    let late = call_within(&mut gateway, Duration::from_secs(1)).await;
    assert_eq!(late, Err(CallError::Unanswered("no answer in time")));
    assert_eq!(call(&mut gateway).await, Ok(json!({ "count": "2" })));
    assert_eq!((told.recv().await, told.recv().await), (Some(1), Some(2)));
}

//! Connections: reused, replaced when they die, cut, slow, refused, shared by calls at the same time.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Barrier, Mutex, oneshot};
use tokio::task::JoinSet;
use waxwing_client::{CallOptions, ClientError, TransportError};

use crate::peer::{Call, Peer, answer, builder};

#[tokio::test]
async fn one_connection_serves_many_calls() {
    let peer = Peer::answering(|call| answer(200, call.echo())).await;
    let client = peer.client();
    for n in 0..50 {
        let args = json!({"n": n});
        assert_eq!(client.clone().call::<_, Value>("echo", &args).await.unwrap(), args);
    }
    assert_eq!((peer.calls(), peer.connections()), (50, 1));
}

#[tokio::test]
async fn a_connection_that_was_closed_is_replaced() {
    let peer = Peer::answering(|call| {
        let mut answer = answer(200, call.echo());
        answer.headers_mut().insert("connection", "close".parse().unwrap());
        answer
    })
    .await;
    let client = peer.client();
    for _ in 0..5 {
        client.call::<_, Value>("echo", &json!({})).await.unwrap();
    }
    assert_eq!((peer.calls(), peer.connections()), (5, 5));
}

/// Many calls at once on one client, answered in another order than they came.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_calls_get_their_own_answers() {
    const CALLS: usize = 64;
    let together = Arc::new(Barrier::new(CALLS));
    let peer = Peer::start(move |call: Call| {
        let together = Arc::clone(&together);
        async move {
            together.wait().await;
            for _ in 0..(call.number * 7) % CALLS {
                tokio::task::yield_now().await;
            }
            answer(200, call.echo())
        }
    })
    .await;
    let client = peer.client();
    for round in 0..4 {
        let mut calls = JoinSet::new();
        for n in 0..CALLS {
            let client = client.clone();
            calls.spawn(async move {
                let args = json!({"round": round, "n": n});
                assert_eq!(client.call::<_, Value>("echo", &args).await.unwrap(), args);
                n
            });
        }
        let answered: BTreeSet<usize> = calls.join_all().await.into_iter().collect();
        assert_eq!(answered.len(), CALLS);
    }
    assert!(peer.connections() <= 2 * CALLS, "{}", peer.connections());
}

/// A server that gives each of two callers the other's true answer.
#[tokio::test]
async fn swapped_answers_are_refused() {
    struct First {
        answer: Vec<u8>,
        others: oneshot::Sender<Vec<u8>>,
    }
    let waiting = Arc::<Mutex<Option<First>>>::default();
    let peer = Peer::start(move |call: Call| {
        let waiting = Arc::clone(&waiting);
        async move {
            let mine = call.echo();
            let first = waiting.lock().await.take();
            let theirs = if let Some(first) = first {
                first.others.send(mine).unwrap();
                first.answer
            } else {
                let (others, receive) = oneshot::channel();
                *waiting.lock().await = Some(First { answer: mine, others });
                receive.await.unwrap()
            };
            answer(200, theirs)
        }
    })
    .await;
    let client = peer.client();
    // Even equal arguments make no difference: the answers are bound to their requests.
    let args = json!({"n": 1});
    let (one, two) = tokio::join!(
        client.call::<_, Value>("echo", &args),
        client.call::<_, Value>("echo", &args)
    );
    for error in [one.unwrap_err(), two.unwrap_err()] {
        assert!(error.to_string().contains("the reply answers another request"), "{error}");
    }
}

#[tokio::test]
async fn nobody_there() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = builder(&format!("http://{address}")).build().unwrap();
    let error = client.call::<_, Value>("echo", &json!({})).await.unwrap_err();
    assert_eq!(error.to_string(), format!("http://{address}/v1/call cannot be reached"));
    let ClientError::Unreachable { source, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(source, TransportError::Connect(_)), "{source:?}");
    assert!(source.source().is_some());
}

/// Reads a request and sends `bytes` back, whatever HTTP says of them, then closes.
async fn raw(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 2048];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    url
}

#[tokio::test]
async fn answers_that_are_cut_off() {
    for bytes in [
        &b""[..],
        b"HTTP/1.1 20",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"v\":",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"v\":",
    ] {
        let client = builder(&raw(bytes).await).build().unwrap();
        let error = client.call::<_, Value>("echo", &json!({})).await.unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_body_without_an_end_is_bounded() {
    let chunk: &'static [u8] = Box::leak(Box::new({
        let mut bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n200000\r\n".to_vec();
        bytes.resize(bytes.len() + (2 << 20), b' ');
        bytes
    }));
    let client = builder(&raw(chunk).await).build().unwrap();
    let error = client.call::<_, Value>("echo", &json!({})).await.unwrap_err();
    assert_eq!(error.to_string(), "the reply is over the limit of 1048576 bytes");
}

#[tokio::test]
async fn slow_answers_end_in_a_timeout() {
    let never = |call: Call| async move {
        if call.tool() == "slow" {
            std::future::pending::<Response<Full<Bytes>>>().await;
        }
        answer(200, call.echo())
    };
    let peer = Peer::start(never).await;
    let after = Duration::from_millis(50);
    let client = peer.builder().timeout(after).build().unwrap();
    let error = client.call::<_, Value>("slow", &json!({})).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { after: a } if a == after), "{error:?}");
    assert_eq!(error.to_string(), "no answer within 50 ms");

    // One call's own time goes before the client's, and the next call works.
    let client = peer.builder().build().unwrap();
    let options = CallOptions::new().timeout(after);
    let error = client.call_with::<_, Value>("slow", &json!({}), &options).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
    client.call::<_, Value>("echo", &json!({})).await.unwrap();
}

/// Dribbles a body for ever: the time is for the whole call, not for each byte.
#[tokio::test]
async fn a_dribbling_body_ends_in_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 2048];
        let _ = stream.read(&mut head).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await;
        let mut beat = tokio::time::interval(Duration::from_millis(5));
        loop {
            beat.tick().await;
            if stream.write_all(b" ").await.is_err() {
                break;
            }
        }
    });
    let client = builder(&url).timeout(Duration::from_millis(60)).build().unwrap();
    let error = client.call::<_, Value>("echo", &json!({})).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
}

//! A clock that is off is mended by the server's signed word, once, and by nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use serde_json::{Value, json};
use waxwing_client::{Client, ClientError};
use waxwing_core::message::Outcome;
use waxwing_core::{CallError, ErrorCode};
use waxwing_crypto::{Timeliness, Window};

use crate::peer::{self, Call, Peer, answer, now_ms, signed_anew};

fn stale(server_ts_ms: i64) -> Outcome<'static> {
    let details = peer::json(&json!({"server_ts_ms": server_ts_ms}));
    Outcome::Error(CallError::new(ErrorCode::Stale, "outside the window").with_details(details))
}

fn is_timely(call: &Call) -> bool {
    let ts_ms = call.request()["ts_ms"].as_i64().unwrap();
    Window::DEFAULT.judge(ts_ms, now_ms()) == Timeliness::InWindow
}

/// Holds callers to the window, as a real server does.
fn strict(call: &Call) -> Response<Full<Bytes>> {
    if is_timely(call) {
        answer(200, call.echo())
    } else {
        answer(401, call.reply(stale(now_ms())))
    }
}

fn client_off_by(peer: &Peer, ms: i64) -> Client {
    peer.builder().clock(move || now_ms() + ms).build().unwrap()
}

#[tokio::test]
async fn the_offset_is_learned_and_kept() {
    for off in [-172_800_000, -3_600_000, -125_000, 35_000, 3_600_000, 172_800_000] {
        let peer = Peer::answering(strict).await;
        let client = client_off_by(&peer, off);
        let args = json!({"off": off});
        assert_eq!(client.call::<_, Value>("echo", &args).await.unwrap(), args, "{off}");
        assert_eq!(peer.calls(), 2, "refused, then sent again");
        assert!((client.clock_offset_ms() + off).abs() < 5_000, "{}", client.clock_offset_ms());
        assert_eq!(client.clone().call::<_, Value>("echo", &args).await.unwrap(), args);
        assert_eq!(peer.calls(), 3, "what was learned is kept, also by clones");
    }
}

#[tokio::test]
async fn a_clock_that_jumps_later_is_mended_again() {
    let peer = Peer::answering(strict).await;
    let off = Arc::new(AtomicI64::new(0));
    let read = Arc::clone(&off);
    let client =
        peer.builder().clock(move || now_ms() + read.load(Ordering::SeqCst)).build().unwrap();
    for jump in [0, 7_200_000, -7_200_000, 0] {
        off.store(jump, Ordering::SeqCst);
        client.call::<_, Value>("echo", &json!({})).await.unwrap();
    }
    assert_eq!(peer.calls(), 4 + 3);
}

#[tokio::test]
async fn it_is_tried_once_only() {
    let peer = Peer::answering(|call| answer(401, call.reply(stale(now_ms())))).await;
    let error = peer.client().call::<_, Value>("echo", &json!({})).await.unwrap_err();
    assert!(matches!(error, ClientError::Failed(e) if e.code == ErrorCode::Stale));
    assert_eq!(peer.calls(), 2);
}

#[tokio::test]
async fn the_second_message_is_a_new_one() {
    let peer = Peer::start({
        let seen = Arc::<std::sync::Mutex<Vec<Value>>>::default();
        move |call: Call| {
            let request = call.request();
            let mut seen = seen.lock().unwrap();
            for before in seen.iter() {
                for member in ["nonce", "request_id", "signature"] {
                    assert_ne!(before[member], request[member]);
                }
                assert_eq!(before["args"], request["args"]);
            }
            seen.push(request);
            std::future::ready(strict(&call))
        }
    })
    .await;
    client_off_by(&peer, 3_600_000).call::<_, Value>("echo", &json!({"n": 1})).await.unwrap();
    assert_eq!(peer.calls(), 2);
}

/// What an attacker without the key can make of a `stale`.
#[tokio::test]
async fn nothing_is_learned_from_what_is_not_verified() {
    let unsigned = |_: &Call| {
        let text = r#"{"error":{"code":"stale","details":{"server_ts_ms":1},"message":"x"},"typ":"refusal","v":"waxwing/1"}"#;
        answer(401, text)
    };
    let forged = |call: &Call| {
        let mut reply = call.reply_at(stale(1), 1);
        let signature = reply.windows(12).rposition(|w| w == b"\"signature\":").unwrap();
        reply[signature + 13] = if reply[signature + 13] == b'0' { b'1' } else { b'0' };
        answer(401, reply)
    };
    let replayed = |call: &Call| {
        let reply = signed_anew(&call.reply_at(stale(1), 1), |m| {
            m.insert("in_reply_to".to_owned(), "ab".repeat(32).into());
        });
        answer(401, reply)
    };
    teaches_nothing(unsigned).await;
    teaches_nothing(forged).await;
    teaches_nothing(replayed).await;
}

async fn teaches_nothing(lie: impl Fn(&Call) -> Response<Full<Bytes>> + Clone + Send + 'static) {
    let peer = Peer::answering(lie).await;
    let client = peer.client();
    let error = client.call::<_, Value>("echo", &json!({})).await.unwrap_err();
    assert!(matches!(error, ClientError::ReplyFault(_)), "{error:?}");
    assert_eq!((client.clock_offset_ms(), peer.calls()), (0, 1));
}

#[tokio::test]
async fn only_stale_is_taken_from_a_clock_far_away() {
    let peer = Peer::answering(|call| {
        let error = CallError::new(ErrorCode::Internal, "x");
        answer(500, call.reply_at(Outcome::Error(error), 1))
    })
    .await;
    let error = peer.client().call::<_, Value>("echo", &json!({})).await.unwrap_err();
    assert!(error.to_string().contains("outside the window"), "{error}");
    assert_eq!(peer.calls(), 1);
}

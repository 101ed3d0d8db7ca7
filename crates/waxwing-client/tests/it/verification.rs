//! Whatever comes back but the true answer is no answer: the client fails closed and names the check,
//! and the next good call works.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use serde_json::{Value, json};
use waxwing_client::{ClientError, ReplyFault};
use waxwing_core::message::{Outcome, Refusal};
use waxwing_core::{CallError, ErrorCode, Limits};
use waxwing_crypto::Window;

use crate::peer::{self, Call, Peer, answer, signed_anew};

/// Answers every other call, beginning with the first, as `lie` does, and the rest truly.
async fn liar(lie: impl Fn(&Call) -> Response<Full<Bytes>> + Clone + Send + 'static) -> Peer {
    Peer::answering(move |call| {
        if call.number.is_multiple_of(2) { lie(call) } else { answer(200, call.echo()) }
    })
    .await
}

/// The error of a call to a liar; a good call on the same client follows.
async fn caught(
    lie: impl Fn(&Call) -> Response<Full<Bytes>> + Clone + Send + 'static,
) -> ClientError {
    let peer = liar(lie).await;
    let limits = Limits::DEFAULT.with_max_message(64 << 10);
    let client = peer.builder().limits(limits).build().unwrap();
    let args = json!({"n": 1});
    let lied = client.call::<_, Value>("echo", &args).await;
    assert_eq!(client.call::<_, Value>("echo", &args).await.unwrap(), args);
    assert_eq!(peer.calls(), 2);
    lied.expect_err("a lie was believed")
}

fn changed(member: &'static str, value: Value) -> impl Fn(&Call) -> Response<Full<Bytes>> + Clone {
    move |call| {
        let message = signed_anew(&call.echo(), |m| {
            m.insert(member.to_owned(), value.clone());
        });
        answer(200, message)
    }
}

async fn names(lie: impl Fn(&Call) -> Response<Full<Bytes>> + Clone + Send + 'static, check: &str) {
    let error = caught(lie).await;
    assert!(matches!(error, ClientError::ReplyFault(_)), "{error:?}");
    assert!(error.to_string().contains(check), "{check:?} is not in {error}");
}

#[tokio::test]
async fn a_forged_signature() {
    // Any single character of the signed text changed, and another key's signature.
    for part in [0, 1, 2, 3] {
        let flip = move |call: &Call| {
            let text = String::from_utf8(call.echo()).unwrap();
            let digits: Vec<_> = text.char_indices().filter(|(_, c)| c.is_ascii_digit()).collect();
            let digit = digits[digits.len() * part / 4];
            let other = if digit.1 == '1' { "2" } else { "1" };
            answer(200, format!("{}{other}{}", &text[..digit.0], &text[digit.0 + 1..]))
        };
        names(flip, "the reply's signature does not verify").await;
    }
    let result = |call: &Call| {
        let text = String::from_utf8(call.echo()).unwrap();
        answer(200, text.replace("{\"n\":1}", "{\"n\":2}"))
    };
    names(result, "the reply's signature does not verify").await;
}

#[tokio::test]
async fn bound_to_another_request() {
    let other = "ab".repeat(32);
    names(changed("in_reply_to", other.into()), "the reply answers another request").await;
    names(changed("request_id", "another".into()), "the reply answers another request").await;
}

#[tokio::test]
async fn of_other_parties() {
    for member in ["client_id", "server_id", "key_id"] {
        let check = format!("the reply's {member} is not the request's");
        names(changed(member, "somebody".into()), &check).await;
    }
}

#[tokio::test]
async fn outside_the_clock_window() {
    let past = i64::from(Window::DEFAULT.past_ms) + 5_000;
    let future = i64::from(Window::DEFAULT.future_ms) + 5_000;
    for distance in [-past, future, -86_400_000, 86_400_000] {
        let lie = move |call: &Call| {
            let result = Outcome::Ok(peer::json(&json!({"n": 1})));
            answer(200, call.reply_at(result, peer::now_ms() + distance))
        };
        names(lie, "outside the window").await;
    }
}

#[tokio::test]
async fn of_another_shape() {
    names(changed("extra", 1.into()), "an unknown member").await;
    names(changed("status", "fine".into()), "status must be").await;
    names(changed("v", "waxwing/2".into()), "v must be waxwing/1").await;
    names(changed("nonce", "short".into()), "nonce must be").await;
    names(|call| answer(200, call.body.clone()), "not a reply").await;
    let both = |call: &Call| {
        let error = json!({"code": "internal", "message": "x"});
        answer(200, signed_anew(&call.echo(), |m| drop(m.insert("error".to_owned(), error))))
    };
    names(both, "not a reply").await;
}

#[tokio::test]
async fn not_json_at_all() {
    names(|_| answer(502, "<html>Bad Gateway</html>"), "(HTTP 502)").await;
    names(|_| answer(404, ""), "not a reply").await;
    names(|_| answer(200, "[]"), "not a reply").await;
    names(|_| answer(200, vec![0xff, 0xfe]), "not a reply").await;
    let twice = |call: &Call| {
        let text = String::from_utf8(call.echo()).unwrap();
        answer(200, text.replacen('{', "{\"status\":\"ok\",", 1))
    };
    names(twice, "occurs twice").await;
    for kept in [1, 100, 300] {
        let truncated = move |call: &Call| answer(200, call.echo()[..kept].to_vec());
        names(truncated, "not a reply").await;
    }
}

#[tokio::test]
async fn a_too_large_body() {
    let declared = |_: &Call| answer(200, vec![b' '; (64 << 10) + 1]);
    let error = caught(declared).await;
    let ClientError::ReplyFault(ReplyFault::TooLarge { limit }) = error else { panic!("{error}") };
    assert_eq!(limit, 64 << 10);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Peer::answering(|call| answer(200, call.echo())).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("http://{}/v1/call", elsewhere.address);
        let redirect = move |_: &Call| {
            let mut answer = answer(status, "");
            answer.headers_mut().insert("location", location.parse().unwrap());
            answer
        };
        let error = caught(redirect).await;
        assert!(
            matches!(error, ClientError::ReplyFault(ReplyFault::Redirect { status: s }) if s == status),
            "{error:?}"
        );
    }
    assert_eq!((elsewhere.calls(), elsewhere.connections()), (0, 0));
}

#[tokio::test]
async fn a_refusal_is_a_hint_and_no_answer() {
    for code in ErrorCode::ALL.into_iter().filter(|code| code.in_refusal()) {
        let refuse = move |_: &Call| {
            let refusal = Refusal::new(CallError::new(code, "go away")).unwrap();
            answer(code.http_status(), refusal.to_vec().unwrap())
        };
        let error = caught(refuse).await;
        assert!(error.to_string().starts_with("refused, by an unsigned message"), "{error}");
        let ClientError::Refused(hint) = error else { panic!("{error:?}") };
        assert_eq!(hint.code, code);
    }
    // A code that only a signed reply may carry, unsigned.
    let refuse = |_: &Call| {
        let text =
            r#"{"error":{"code":"tool_failed","message":"x"},"typ":"refusal","v":"waxwing/1"}"#;
        answer(200, text)
    };
    names(refuse, "may travel unsigned").await;
}

#[tokio::test]
async fn a_signed_error_is_the_servers_word() {
    let fail = |call: &Call| {
        let error = CallError::new(ErrorCode::InvalidArgs, "n is too small")
            .with_details(peer::json(&json!({"violations": []})))
            .with_retry_after_ms(5);
        answer(422, call.reply(Outcome::Error(error)))
    };
    let ClientError::Failed(error) = caught(fail).await else { panic!() };
    assert_eq!(error.code, ErrorCode::InvalidArgs);
    assert_eq!((error.message.as_str(), error.retry_after_ms), ("n is too small", Some(5)));
    assert_eq!(error.details.unwrap().as_str(), r#"{"violations":[]}"#);
}

/// An error is bound and signed as a result is: none of it can be changed on the way.
#[tokio::test]
async fn a_signed_error_that_was_changed_is_none() {
    let true_error = |call: &Call| {
        let error = CallError::new(ErrorCode::Overloaded, "too many calls")
            .with_details(peer::json(&json!({"most": 5})))
            .with_retry_after_ms(1_000);
        String::from_utf8(call.reply(Outcome::Error(error))).unwrap()
    };
    for (from, to) in [
        ("\"overloaded\"", "\"internal\""),
        ("too many calls", "call 555-0199"),
        ("\"most\":5", "\"most\":6"),
        ("\"retry_after_ms\":1000", "\"retry_after_ms\":1"),
    ] {
        let lie = move |call: &Call| {
            let text = true_error(call);
            assert!(text.contains(from), "{text}");
            answer(503, text.replacen(from, to, 1))
        };
        names(lie, "the reply's signature does not verify").await;
    }
    let to_another = move |call: &Call| {
        let message = signed_anew(true_error(call).as_bytes(), |m| {
            m.insert("in_reply_to".to_owned(), "ab".repeat(32).into());
        });
        answer(503, message)
    };
    names(to_another, "the reply answers another request").await;
    // An error with a result beside it, or a result that calls itself an error, is of no shape at all.
    let both = |call: &Call| {
        let message = signed_anew(&call.echo(), |m| {
            m.insert("status".to_owned(), "error".into());
        });
        answer(503, message)
    };
    assert!(matches!(caught(both).await, ClientError::ReplyFault(_)));
}

#[tokio::test]
async fn any_spelling_of_a_true_answer_is_one() {
    let spaced = Peer::answering(|call| {
        let reply: Value = serde_json::from_slice(&call.echo()).unwrap();
        answer(200, format!("\n {} ", serde_json::to_string_pretty(&reply).unwrap()))
    })
    .await;
    let args = json!({"text": "caf\u{e9}", "n": [1.5, 1e21]});
    assert_eq!(spaced.client().call::<_, Value>("echo", &args).await.unwrap(), args);
}

//! The HTTP binding of wire.md §9: paths, methods, media types, `Host`, `Origin`, `Expect`.

use serde_json::json;

use crate::harness::House;
use crate::wire::{output, post, with_fields};

const HOST: &str = "Host: localhost\r\n";
const TYPE: &str = "Content-Type: application/json\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_call_is_told_so_in_http() {
    let house = House::open().await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\n{HOST}\r\n").into_bytes();
    let post_with = |fields: &str| with_fields(fields, b"{}");
    for (what, request, status) in [
        ("another method", get("/v1/call"), 405),
        ("another path", get("/"), 404),
        ("a longer path", get("/v1/call/"), 404),
        ("a query", get("/v1/call?a=1"), 404),
        ("health is elsewhere", get("/livez"), 404),
        ("the whole server", format!("OPTIONS * HTTP/1.1\r\n{HOST}\r\n").into_bytes(), 404),
        ("no media type", post_with(HOST), 415),
        ("another media type", post_with(&format!("{HOST}Content-Type: text/plain\r\n")), 415),
        ("two media types", post_with(&format!("{HOST}{TYPE}{TYPE}")), 415),
        (
            "another charset",
            post_with(&format!("{HOST}Content-Type: application/json; charset=utf-16\r\n")),
            415,
        ),
        ("a content coding", post_with(&format!("{HOST}{TYPE}Content-Encoding: gzip\r\n")), 415),
        ("another host", post_with(&format!("Host: evil.example\r\n{TYPE}")), 421),
        ("an empty host", post_with(&format!("Host: \r\n{TYPE}")), 421),
        ("an origin", post_with(&format!("{HOST}{TYPE}Origin: https://evil.example\r\n")), 403),
        ("no origin to speak of", post_with(&format!("{HOST}{TYPE}Origin: null\r\n")), 403),
        ("another expectation", post_with(&format!("{HOST}{TYPE}Expect: a-cake\r\n")), 417),
    ] {
        let mut wire = house.wire().await;
        wire.send(&request).await;
        let answer = wire.answer().await.expect(what);
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        assert!(answer.header("content-type").unwrap().starts_with("text/plain"), "{what}");
        assert!(answer.text().ends_with(".\n"), "{what}");
        let allow = (status == 405).then_some("POST");
        assert_eq!(answer.header("allow"), allow, "{what}");
        match answer.header("connection") {
            Some("close") => wire.ends().await,
            _ => house.good_on(&mut wire).await,
        }
        house.good().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn configured_hosts_and_origins_are_let_in() {
    let house =
        House::with(|builder| builder.hosts(["api.example"]).origins(["https://app.example"]))
            .await;
    let agent = house.caller("agent-7");
    let mut wire = house.wire().await;
    let (message, sent) = agent.sign(&agent.request("batch_sum", json!({"numbers": [1]})));
    let fields = format!("Host: API.example:8443\r\n{TYPE}Origin: https://app.example\r\n");
    wire.send(with_fields(&fields, &message)).await;
    let answer = wire.answer().await.unwrap();
    assert_eq!(output(&agent.verify(&sent, &answer))["total"], 1);
    assert_eq!(wire.post(b"{}").await.status, 421, "localhost is no longer its name");
}

#[tokio::test]
async fn wrong_settings_are_told_at_bind() {
    use crate::harness::{memory, server_id};
    let build = || {
        let ring = crate::harness::empty_ring();
        let registry = crate::tools::registry(&crate::tools::Signals::new());
        waxwing_server::Server::builder(server_id(), ring, registry, memory())
    };
    let told = async |builder: waxwing_server::ServerBuilder| {
        builder.bind().await.unwrap_err().to_string()
    };
    assert!(told(build().hosts(["http://a"])).await.contains("\"http://a\" is not a host name"));
    assert!(told(build().origins(["a.example"])).await.contains("\"a.example\" is not an origin"));
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = taken.local_addr().unwrap();
    assert_eq!(told(build().listen(addr)).await, format!("cannot listen on {addr}"));
    let ring = crate::harness::empty_ring();
    let registry = crate::tools::registry(&crate::tools::Signals::new());
    let other = "other.example".parse().unwrap();
    let foreign = waxwing_server::Server::builder(other, ring, registry, memory());
    assert!(told(foreign).await.contains("another server id"));
}

/// The body is asked for only once the head is found good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expect_100_continue_is_met() {
    let house = House::open().await;
    let agent = house.caller("agent-7");
    let (message, sent) = agent.sign(&agent.request("batch_sum", json!({"numbers": [1]})));
    let head = |fields: &str| {
        let whole = with_fields(&format!("{fields}Expect: 100-continue\r\n"), &message);
        whole[..whole.len() - message.len()].to_vec()
    };
    let mut wire = house.wire().await;
    wire.send(head(&format!("{HOST}{TYPE}"))).await;
    assert_eq!(wire.answer().await.unwrap().status, 100);
    wire.send(&message).await;
    let answer = wire.answer().await.unwrap();
    assert_eq!(output(&agent.verify(&sent, &answer))["total"], 1);
    house.good_on(&mut wire).await;

    wire.send(head(&format!("{HOST}Content-Type: text/plain\r\n"))).await;
    assert_eq!(wire.answer().await.unwrap().status, 415, "and no 100 before it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunked_body_is_taken_and_ends_the_connection() {
    let house = House::open().await;
    let agent = house.caller("agent-7");
    let (message, sent) = agent.sign(&agent.request("batch_sum", json!({"numbers": [1]})));
    let mut wire = house.wire().await;
    wire.send(format!("POST /v1/call HTTP/1.1\r\n{HOST}{TYPE}Transfer-Encoding: chunked\r\n\r\n"))
        .await;
    for piece in message.chunks(100) {
        wire.send(format!("{:x}\r\n", piece.len())).await;
        wire.send(piece).await;
        wire.send("\r\n").await;
    }
    wire.send("0\r\n\r\n").await;
    // What comes behind it is never taken for a request.
    wire.send(post(&message)).await;
    let answer = wire.answer().await.unwrap();
    assert_eq!(output(&agent.verify(&sent, &answer))["total"], 1);
    assert_eq!(answer.header("connection"), Some("close"));
    wire.ends().await;
    house.good().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_in_one_pipe_are_answered_in_order() {
    let house = House::open().await;
    let agent = house.caller("agent-7");
    let mut wire = house.wire().await;
    let signed: Vec<_> =
        (0..20).map(|n| agent.sign(&agent.request("batch_sum", json!({"numbers": [n]})))).collect();
    let pipe: Vec<u8> = signed.iter().flat_map(|(message, _)| post(message)).collect();
    wire.send(&pipe).await;
    for (n, (_, sent)) in signed.iter().enumerate() {
        let answer = wire.answer().await.unwrap();
        assert_eq!(output(&agent.verify(sent, &answer))["total"], n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_1_0_is_served_and_ends_the_connection() {
    let house = House::open().await;
    let agent = house.caller("agent-7");
    let (message, sent) = agent.sign(&agent.request("batch_sum", json!({"numbers": [1]})));
    let request = String::from_utf8(post(&message)).unwrap().replace("HTTP/1.1", "HTTP/1.0");
    let mut wire = house.wire().await;
    wire.send(request).await;
    let answer = wire.answer().await.unwrap();
    assert_eq!(output(&agent.verify(&sent, &answer))["total"], 1);
    wire.ends().await;
}

/// Closing a socket over unread bytes would take the answer back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_reaches_a_peer_that_goes_on_sending() {
    let house = House::open().await;
    for _ in 0..5 {
        let mut wire = house.wire().await;
        wire.send_whole(post(&vec![b' '; 8 << 20])).await;
        let answer = wire.answer().await.expect("the refusal is not lost");
        assert_eq!(answer.refusal().code, waxwing_core::ErrorCode::TooLarge);
        wire.ends().await;
    }
    house.good().await;
}

//! A server of a few lines that reads and signs with waxwing-crypto, and does what a test tells it to.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use waxwing_client::{Client, ClientBuilder};
use waxwing_core::message::Outcome;
use waxwing_core::{CanonicalJson, JobId, Limits, Nonce, Scratch, canonical};
use waxwing_crypto::{HmacKey, Key, KeyRing, sign_reply, verify_request};

pub(crate) const SECRET: &[u8; 32] = b"canary-7f3a, never to be printed";
const CLIENT: &str = "agent-7";
const SERVER: &str = "sums.example";
const KEY: &str = "k1";

pub(crate) fn key() -> Key {
    HmacKey::new(SECRET).unwrap().into()
}

pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// One call as it came in.
pub(crate) struct Call {
    /// How many came before it.
    pub(crate) number: usize,
    pub(crate) body: Bytes,
}

impl Call {
    /// The request, unverified.
    pub(crate) fn request(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn tool(&self) -> String {
        self.request()["tool"].as_str().unwrap().to_owned()
    }

    /// The true answer: signed, bound, of this moment.
    pub(crate) fn reply(&self, outcome: Outcome<'_>) -> Vec<u8> {
        self.reply_at(outcome, now_ms())
    }

    pub(crate) fn reply_at(&self, outcome: Outcome<'_>, ts_ms: i64) -> Vec<u8> {
        let decoy = HmacKey::new(b"any 32 bytes that are never used").unwrap();
        let mut ring = KeyRing::new(decoy.into());
        ring.insert(CLIENT.parse().unwrap(), KEY.parse().unwrap(), key());
        let mut scratch = Scratch::new();
        let limits = Limits::DEFAULT.with_max_message(8 << 20);
        let server = SERVER.parse().unwrap();
        let request =
            verify_request(&self.body, &limits, &server, &ring, now_ms(), &mut scratch).unwrap();
        let nonce = Nonce::new(format!("server-nonce-{:08}", self.number)).unwrap();
        let mut out = Vec::new();
        sign_reply(&request, outcome, ts_ms, nonce, &mut Scratch::new(), &mut out).unwrap();
        out
    }

    /// The arguments, sent back as the output.
    pub(crate) fn echo(&self) -> Vec<u8> {
        self.reply(Outcome::Ok(json(&self.request()["args"])))
    }
}

/// Signs a changed message anew, with the right key: what only the server itself could do.
pub(crate) fn signed_anew(
    message: &[u8],
    change: impl FnOnce(&mut BTreeMap<String, Value>),
) -> Vec<u8> {
    let mut message: BTreeMap<String, Value> = serde_json::from_slice(message).unwrap();
    message.remove("signature");
    change(&mut message);
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(&canonical::to_vec(&message).unwrap());
    let digits: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    message.insert("signature".to_owned(), digits.into());
    canonical::to_vec(&message).unwrap()
}

pub(crate) fn json(value: &Value) -> CanonicalJson<'static> {
    CanonicalJson::from_serialize(value).unwrap()
}

/// A definition with its digest, as `list_tools` gives it (wire.md §7).
pub(crate) fn listed(definition: &Value) -> Value {
    let mut pinned = definition.clone();
    pinned["server_id"] = SERVER.into();
    let hash = Sha256::digest(canonical::to_vec(&pinned).unwrap());
    let mut listed = definition.clone();
    listed["digest"] = hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
    listed
}

pub(crate) fn job(id: &str) -> JobId<'static> {
    id.parse().unwrap()
}

pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(body.into())).unwrap()
}

/// The server, until it is dropped.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) calls: Arc<AtomicUsize>,
    accepting: AbortHandle,
}

impl Peer {
    pub(crate) async fn start<F, A>(handler: F) -> Self
    where
        F: Fn(Call) -> A + Clone + Send + 'static,
        A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        Self::start_on("127.0.0.1:0".parse().unwrap(), handler).await
    }

    pub(crate) async fn start_on<F, A>(address: SocketAddr, handler: F) -> Self
    where
        F: Fn(Call) -> A + Clone + Send + 'static,
        A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, calls) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (connected, called) = (Arc::clone(&connections), Arc::clone(&calls));
        let accepting = tokio::spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connected.fetch_add(1, Ordering::SeqCst);
                let (handler, called) = (handler.clone(), Arc::clone(&called));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (handler, called) = (handler.clone(), Arc::clone(&called));
                    async move {
                        assert_eq!(request.method(), Method::POST);
                        assert_eq!(request.uri().path(), "/v1/call");
                        assert_eq!(request.headers()["content-type"], "application/json");
                        let number = called.fetch_add(1, Ordering::SeqCst);
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        Ok::<_, Infallible>(handler(Call { number, body }).await)
                    }
                });
                let http = hyper::server::conn::http1::Builder::new();
                serving.spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        })
        .abort_handle();
        Self { address, connections, calls, accepting }
    }

    /// A server that answers from the call alone.
    pub(crate) async fn answering(
        answer: impl Fn(&Call) -> Response<Full<Bytes>> + Clone + Send + 'static,
    ) -> Self {
        Self::start(move |call| std::future::ready(answer(&call))).await
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        builder(&format!("http://{}", self.address))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Answers the n-th call with the n-th outcome, and with the last from then on.
pub(crate) async fn script(outcomes: Vec<Outcome<'static>>) -> Peer {
    Peer::answering(move |call| {
        let outcome = outcomes[call.number.min(outcomes.len() - 1)].clone();
        answer(outcome.http_status(), call.reply(outcome))
    })
    .await
}

pub(crate) fn builder(url: &str) -> ClientBuilder {
    let (client, server, key_id) = (CLIENT.parse(), SERVER.parse(), KEY.parse());
    Client::builder(url, client.unwrap(), server.unwrap(), key_id.unwrap(), key())
}

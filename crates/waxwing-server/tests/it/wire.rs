//! The other side: a bare HTTP/1.1 client, and one that signs and verifies on top of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use waxwing_core::message::{Outcome, Progress, Refusal, Request};
use waxwing_core::{CallError, ClientId, JobId, Limits, Scratch};
use waxwing_crypto::{ReplyFault, SentRequest, Window, sign_request, verify_reply};

use crate::harness::{PATIENCE, TestClock, key_of, server_id};

/// A connection of a peer that need not be polite.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl HttpAnswer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The error of an unsigned refusal.
    pub(crate) fn refusal(&self) -> CallError {
        let (limits, mut scratch) = (Limits::default(), Scratch::new());
        let caller = Caller::new("agent-7", TestClock::new());
        let (_, sent) = caller.sign(&caller.request("batch_sum", Value::Object(<_>::default())));
        let key = key_of("agent-7");
        match verify_reply(&self.body, &limits, &key, &sent, 0, &Window::DEFAULT, &mut scratch) {
            Err(ReplyFault::Refused(refusal)) => {
                let Refusal { error, .. } = *refusal;
                assert_eq!(self.status, error.code.http_status());
                assert_eq!(self.header("content-type"), Some("application/json"));
                error
            }
            other => panic!("no refusal: {other:?}: {self:?}"),
        }
    }
}

impl Wire {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = timeout(PATIENCE, TcpStream::connect(addr)).await.unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    /// Sends bytes; a peer that has hung up meanwhile is noticed when reading.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends bytes that the server has to take to the last, wanted or not: a reset in the middle
    /// would take back, on some systems, what it has answered.
    pub(crate) async fn send_whole(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await;
        sent.expect("the server takes it").expect("no reset");
    }

    /// Says that there will be no more.
    pub(crate) async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// The next answer; `None` when the server has hung up instead.
    pub(crate) async fn answer(&mut self) -> Option<HttpAnswer> {
        timeout(PATIENCE, self.read_answer()).await.expect("an answer or the end in time")
    }

    /// The next answer, if it comes within this time.
    pub(crate) async fn answer_within(&mut self, time: Duration) -> Option<HttpAnswer> {
        timeout(time, self.read_answer()).await.ok().flatten()
    }

    async fn read_answer(&mut self) -> Option<HttpAnswer> {
        let head_end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.buffer.drain(..head_end).collect()).unwrap();
        let status = head[9..12].parse().unwrap();
        let mut answer = HttpAnswer { status, head, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |text| text.parse().unwrap());
        while self.buffer.len() < length {
            self.more().await?;
        }
        answer.body = self.buffer.drain(..length).collect();
        Some(answer)
    }

    async fn more(&mut self) -> Option<()> {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(()),
        }
    }

    /// Waits until the server hangs up; nothing may come before that.
    pub(crate) async fn ends(&mut self) {
        let rest = timeout(PATIENCE, self.more()).await.expect("the server hangs up");
        assert_eq!(rest, None, "{:?}", String::from_utf8_lossy(&self.buffer));
    }

    /// Waits until the server says something or hangs up.
    pub(crate) async fn ends_or_answers(&mut self) {
        timeout(PATIENCE, self.more()).await.expect("a word or the end in time");
    }

    /// Posts a message and gives the answer, which must come.
    pub(crate) async fn post(&mut self, message: &[u8]) -> HttpAnswer {
        self.send(post(message)).await;
        self.answer().await.expect("an answer")
    }

    /// Asks for a path.
    pub(crate) async fn fetch(&mut self, path: &str) -> HttpAnswer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        self.answer().await.expect("an answer")
    }
}

/// The request that carries a message.
pub(crate) fn post(message: &[u8]) -> Vec<u8> {
    with_fields("Host: localhost\r\nContent-Type: application/json\r\n", message)
}

/// The same with other fields; the length is added.
pub(crate) fn with_fields(fields: &str, message: &[u8]) -> Vec<u8> {
    let length = message.len();
    let head = format!("POST /v1/call HTTP/1.1\r\n{fields}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), message].concat()
}

/// A client with a key.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) client: ClientId<'static>,
    secret: String,
    clock: TestClock,
}

static NONCES: AtomicU64 = AtomicU64::new(0);

impl Caller {
    pub(crate) fn new(client: &str, clock: TestClock) -> Self {
        Self { client: client.parse().unwrap(), secret: client.to_owned(), clock }
    }

    /// The same client with the key of another.
    pub(crate) fn with_key_of(mut self, other: &str) -> Self {
        self.secret = other.to_owned();
        self
    }

    pub(crate) fn request(&self, tool: &str, args: Value) -> Request<'static, Value> {
        let n = NONCES.fetch_add(1, Ordering::Relaxed);
        Request {
            request_id: format!("r-{n}").parse().unwrap(),
            ts_ms: self.clock.now_ms(),
            client_id: self.client.clone(),
            server_id: server_id(),
            key_id: "k1".parse().unwrap(),
            nonce: format!("nonce-{n:026}").parse().unwrap(),
            tool: tool.parse().unwrap(),
            args,
            idempotency_key: None,
            tool_digest: None,
            traceparent: None,
        }
    }

    pub(crate) fn sign(&self, request: &Request<'static, Value>) -> (Vec<u8>, SentRequest) {
        let (mut message, mut scratch) = (Vec::new(), Scratch::new());
        let key = key_of(&self.secret);
        let signature = sign_request(&key, request, &mut scratch, &mut message).unwrap();
        (message, SentRequest::new(request, signature))
    }

    /// Verifies a reply and gives its outcome; the HTTP status must be the outcome's.
    pub(crate) fn verify(&self, sent: &SentRequest, answer: &HttpAnswer) -> Outcome<'static> {
        let (limits, mut scratch) = (Limits::default().with_max_message(4 << 20), Scratch::new());
        let (key, now_ms) = (key_of(&self.secret), self.clock.now_ms());
        let window = Window::DEFAULT;
        let reply = verify_reply(&answer.body, &limits, &key, sent, now_ms, &window, &mut scratch)
            .unwrap_or_else(|fault| panic!("{fault}: {}", answer.text()));
        let outcome = reply.into_outcome().into_owned();
        assert_eq!(answer.status, outcome.http_status());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        outcome
    }

    /// Sends a request and gives status and outcome.
    pub(crate) async fn send(
        &self,
        wire: &mut Wire,
        request: &Request<'static, Value>,
    ) -> (u16, Outcome<'static>) {
        let (message, sent) = self.sign(request);
        let answer = wire.post(&message).await;
        (answer.status, self.verify(&sent, &answer))
    }

    pub(crate) async fn call(
        &self,
        wire: &mut Wire,
        tool: &str,
        args: Value,
    ) -> (u16, Outcome<'static>) {
        self.send(wire, &self.request(tool, args)).await
    }

    /// Calls a tool of mode `job` and gives the id of its job.
    pub(crate) async fn start(&self, wire: &mut Wire, tool: &str, args: Value) -> JobId<'static> {
        match self.call(wire, tool, args).await {
            (200, Outcome::Accepted { job_id, .. }) => job_id,
            other => panic!("not accepted: {other:?}"),
        }
    }

    pub(crate) async fn poll(
        &self,
        wire: &mut Wire,
        job: &JobId<'_>,
        wait_ms: u32,
    ) -> Outcome<'static> {
        let args = serde_json::json!({"job_id": job, "wait_ms": wait_ms});
        self.call(wire, "poll_job", args).await.1
    }

    /// Polls until the job shows progress.
    pub(crate) async fn progress(&self, wire: &mut Wire, job: &JobId<'_>) -> Progress {
        let shown = async {
            loop {
                match self.poll(wire, job, 100).await {
                    Outcome::Running { progress: Some(progress), .. } => break progress,
                    Outcome::Running { progress: None, .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        timeout(PATIENCE, shown).await.expect("progress in time")
    }

    /// Polls until the job is no longer running.
    pub(crate) async fn settle(&self, wire: &mut Wire, job: &JobId<'_>) -> Outcome<'static> {
        let settled = async {
            loop {
                match self.poll(wire, job, 10_000).await {
                    Outcome::Running { .. } => {}
                    settled => break settled,
                }
            }
        };
        timeout(PATIENCE, settled).await.expect("the job's end in time")
    }
}

/// The output of an `ok` or `done`.
#[track_caller]
pub(crate) fn output(outcome: &Outcome<'_>) -> Value {
    match outcome {
        Outcome::Ok(output) | Outcome::Done { output, .. } => output.decode().unwrap(),
        other => panic!("no output: {other:?}"),
    }
}

/// The error of an `error`.
#[track_caller]
pub(crate) fn error(outcome: Outcome<'_>) -> CallError {
    match outcome {
        Outcome::Error(error) => error,
        other => panic!("no error: {other:?}"),
    }
}

/// The details of an error.
#[track_caller]
pub(crate) fn details(error: &CallError) -> Value {
    error.details.as_ref().expect("details").decode().unwrap()
}

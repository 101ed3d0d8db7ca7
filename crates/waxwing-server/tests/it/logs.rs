//! What the log holds: enough to find a fault by its correlation id, and nothing that is secret.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::House;
use crate::wire::{details, error};

#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The log of the whole test run: every server here writes to it.
pub(crate) fn run_log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(log.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_are_found_by_their_id_and_secrets_are_nowhere() {
    let log = run_log();
    let mut house = House::open().await;
    let agent = house.caller("agent-7");
    let mut wire = house.wire().await;
    for tool in ["panic", "lie"] {
        let (_, outcome) = agent.call(&mut wire, tool, json!({})).await;
        let told = details(&error(outcome));
        let id = told["correlation_id"].as_str().unwrap();
        let line = log.text().lines().find(|line| line.contains(id)).map(str::to_owned);
        assert!(line.unwrap().contains(tool));
    }
    for (tool, args) in [
        ("say_later", json!({"text": "canary-argument"})),
        ("hold", json!({"text": ["canary-argument"]})),
        ("batch_sum", json!({"canary-argument": 1})),
    ] {
        agent.call(&mut wire, tool, args).await;
    }
    let forger = house.caller("agent-7").with_key_of("agent-8");
    let forged = forger.request("say_later", json!({"text": "canary-argument"}));
    assert_eq!(wire.post(&forger.sign(&forged).0).await.status, 401);
    house.begin_stop();
    house.ended().await;

    let text = log.text();
    assert!(text.contains("call answered"));
    assert!(!text.contains("canary-argument"));
    let secret = Sha256::digest("agent-7");
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{:?}", secret.as_slice());
    assert!(!text.contains(&hex) && !text.contains(&list));
}

/// What is behind a tool's error is for whoever runs the server, and for nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_of_a_tools_error_is_logged_and_not_told() {
    let log = run_log();
    let house = House::open().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let logged = |id: &str| {
        let text = log.text();
        let mut lines = text.lines().filter(|line| line.contains(id));
        assert!(
            lines.any(|line| line.contains("the pump's bus is down: canary-source")),
            "{id} is in the log with all that is behind it"
        );
    };
    let call = agent.request("hide", json!({}));
    let (message, sent) = agent.sign(&call);
    let answer = wire.post(&message).await;
    assert_eq!(error(agent.verify(&sent, &answer)).message, "the pump is broken");
    assert!(!answer.text().contains("canary") && !answer.text().contains("bus"));
    logged(call.request_id.as_str());

    let job = agent.start(&mut wire, "hide_later", json!({})).await;
    let told = format!("{:?}", agent.settle(&mut wire, &job).await);
    assert!(told.contains("the pump is broken"), "{told}");
    assert!(!told.contains("canary") && !told.contains("bus"), "{told}");
    logged(job.as_str());
}

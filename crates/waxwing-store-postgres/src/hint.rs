//! Hints that something changed, from process to process, over a connection of their own. Nothing
//! rests on them: one may be lost, and whoever waits looks for himself from time to time.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_postgres::AsyncMessage;
use tokio_postgres_rustls::MakeRustlsConnect;

/// The least time between two hints sent: what changes meanwhile is one hint.
const COALESCE: Duration = Duration::from_millis(10);

/// Waits between tries to connect; the last one is repeated.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Hints to and from other processes.
#[derive(Debug)]
pub(crate) struct Hints {
    state: Arc<State>,
    heard: watch::Receiver<u64>,
    task: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    changed: Notify,
    listening: AtomicBool,
}

impl Drop for Hints {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Hints {
    /// No hints: behind a pooler there is no session that could listen.
    pub(crate) fn none() -> Self {
        let (_, heard) = watch::channel(0);
        Self { state: Arc::default(), heard, task: None }
    }

    /// Listens on a channel, whose name is quoted already, for as long as this lives.
    pub(crate) fn over(
        driver: tokio_postgres::Config,
        tls: MakeRustlsConnect,
        channel: String,
    ) -> Self {
        let (sender, heard) = watch::channel(0);
        let state = Arc::new(State::default());
        let line = Line { driver, tls, channel, state: Arc::clone(&state), heard: sender };
        Self { state, heard, task: Some(tokio::spawn(line.hold())) }
    }

    /// Says that something was committed.
    pub(crate) fn changed(&self) {
        self.state.changed.notify_one();
    }

    /// Whether changes of other processes are heard at the moment.
    pub(crate) fn are_heard(&self) -> bool {
        self.state.listening.load(Ordering::Relaxed)
    }

    /// What has been heard so far; what comes later can be waited for on it.
    pub(crate) fn listener(&self) -> watch::Receiver<u64> {
        let mut heard = self.heard.clone();
        heard.mark_unchanged();
        heard
    }
}

struct Line {
    driver: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    channel: String,
    state: Arc<State>,
    heard: watch::Sender<u64>,
}

impl Line {
    async fn hold(self) {
        let mut pauses = PAUSES.into_iter();
        let mut pause = PAUSES[PAUSES.len() - 1];
        loop {
            let begun = tokio::time::Instant::now();
            let Err(error) = self.listen().await;
            self.state.listening.store(false, Ordering::Relaxed);
            tracing::debug!(%error, "hints are not heard");
            if begun.elapsed() > pause {
                pauses = PAUSES.into_iter();
            }
            pause = pauses.next().unwrap_or(pause);
            tokio::time::sleep(pause).await;
        }
    }

    async fn listen(&self) -> Result<Infallible, tokio_postgres::Error> {
        let (client, mut connection) = self.driver.connect(self.tls.clone()).await?;
        let heard = self.heard.clone();
        let mut messages = Abort(tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(_) = message {
                    heard.send_modify(|count| *count = count.wrapping_add(1));
                }
            }
        }));
        // Nothing is stored over this connection, and a hint that waited for the disk would come
        // late and have the commits of jobs wait behind it.
        let listen = format!("SET synchronous_commit = off; LISTEN {}", self.channel);
        client.batch_execute(&listen).await?;
        self.state.listening.store(true, Ordering::Relaxed);
        // Something may have changed before anybody listened.
        self.heard.send_modify(|count| *count = count.wrapping_add(1));
        let hint = format!("NOTIFY {}", self.channel);
        loop {
            tokio::select! {
                () = self.state.changed.notified() => client.batch_execute(&hint).await?,
                _ = &mut messages.0 => client.check_connection().await?,
            }
            tokio::time::sleep(COALESCE).await;
        }
    }
}

/// A task that ends with its owner.
struct Abort(JoinHandle<()>);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

//! Hints that something changed, from process to process, over a connection of their own. Nothing
//! rests on them: one may be lost, and whoever waits looks for himself from time to time.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::config::Setup;
use crate::connect::{Connector, within};
use crate::database::STATEMENT;
use crate::error::Error;
use crate::link::Abort;

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
    _line: Option<Abort>,
}

#[derive(Debug, Default)]
struct State {
    changed: Notify,
    listening: AtomicBool,
}

impl Hints {
    /// No hints: behind a pooler there is no session that could listen.
    pub(crate) fn none() -> Self {
        let (_, heard) = watch::channel(0);
        Self { state: Arc::default(), heard, _line: None }
    }

    /// Listens on a channel, whose name is quoted already, for as long as this lives.
    pub(crate) fn over(connector: Connector, channel: String) -> Self {
        let (sender, heard) = watch::channel(0);
        let state = Arc::new(State::default());
        let line = Line { connector, channel, state: Arc::clone(&state), heard: sender };
        Self { state, heard, _line: Some(Abort(tokio::spawn(line.hold()))) }
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
    connector: Connector,
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
            tracing::debug!(?error, "hints are not heard");
            if begun.elapsed() > pause {
                pauses = PAUSES.into_iter();
            }
            pause = pauses.next().unwrap_or(pause);
            tokio::time::sleep(pause).await;
        }
    }

    async fn listen(&self) -> Result<Infallible, Error> {
        let heard = self.heard.clone();
        let hear = move || heard.send_modify(|count| *count = count.wrapping_add(1));
        let (client, mut messages) = self.connector.line(Setup::Servers, hear.clone()).await?;
        let say = async |sql: &str| within(STATEMENT, client.batch_execute(sql)).await;
        // Nothing is stored over this connection, and a hint that waited for the disk would come
        // late and have the commits of jobs wait behind it.
        say(&format!("SET synchronous_commit = off; LISTEN {}", self.channel)).await?;
        self.state.listening.store(true, Ordering::Relaxed);
        // Something may have changed before anybody listened.
        hear();
        let hint = format!("NOTIFY {}", self.channel);
        loop {
            tokio::select! {
                () = self.state.changed.notified() => say(&hint).await?,
                _ = &mut messages.0 => return Err(Error::Lost("the line is cut".to_owned())),
            }
            tokio::time::sleep(COALESCE).await;
        }
    }
}

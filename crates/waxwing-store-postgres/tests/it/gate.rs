//! A gate before a server: it counts statements, and can fall silent without closing anything, be
//! cut, and lead to another server from then on, as a name does after a switchover.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{AbortHandle, JoinSet};
use waxwing_testkit::postgres::Cluster;

use crate::cut::message;

#[derive(Clone)]
pub(crate) struct Gate {
    folder: Arc<tempfile::TempDir>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    server: Mutex<PathBuf>,
    connections: Mutex<Vec<AbortHandle>>,
    statements: AtomicUsize,
    /// The connections before this one are silent.
    heard_from: AtomicUsize,
    /// No statement from this one on is let through.
    heard_until: AtomicUsize,
}

impl Gate {
    pub(crate) fn new(server: &Cluster) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let state = Arc::new(State::default());
        state.heard_until.store(usize::MAX, Ordering::SeqCst);
        let gate = Self { folder, state };
        gate.lead_to(server);
        let state = Arc::clone(&gate.state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut connections = state.connections.lock().unwrap();
                let through = Arc::clone(&state).through(client, connections.len());
                connections.push(tokio::spawn(through).abort_handle());
            }
        });
        gate
    }

    /// An address, but for the server's folder, in whose place this one stands.
    pub(crate) fn before(&self, server: &Cluster, url: &str) -> String {
        let (from, to) = (server.folder().display(), self.folder.path().display());
        url.replace(&from.to_string(), &to.to_string())
    }

    pub(crate) fn lead_to(&self, server: &Cluster) {
        *self.state.server.lock().unwrap() = server.folder().join(".s.PGSQL.5432");
    }

    /// Nothing passes any more on the connections that there are.
    pub(crate) fn hush(&self) {
        let connections = self.state.connections.lock().unwrap();
        self.state.heard_from.store(connections.len(), Ordering::SeqCst);
    }

    /// Nothing passes any more at all.
    pub(crate) fn hush_for_good(&self) {
        self.state.heard_from.store(usize::MAX, Ordering::SeqCst);
    }

    /// Nothing passes any more from the `nth` statement on.
    pub(crate) fn hush_at(&self, nth: usize) {
        self.state.heard_until.store(nth, Ordering::SeqCst);
    }

    /// Closes the connections that there are.
    pub(crate) fn cut(&self) {
        for connection in self.state.connections.lock().unwrap().iter() {
            connection.abort();
        }
    }

    pub(crate) fn statements(&self) -> usize {
        self.state.statements.load(Ordering::SeqCst)
    }
}

impl State {
    async fn heard(&self, connection: usize) {
        let silent = connection < self.heard_from.load(Ordering::SeqCst)
            || self.statements.load(Ordering::SeqCst) >= self.heard_until.load(Ordering::SeqCst);
        if silent {
            std::future::pending::<()>().await;
        }
    }

    /// Carries messages in both directions.
    async fn through(self: Arc<Self>, client: UnixStream, nth: usize) {
        let server = self.server.lock().unwrap().clone();
        let Ok(server) = UnixStream::connect(server).await else { return };
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let (asked, answered) = (Arc::clone(&self), self);
        let mut ways = JoinSet::new();
        ways.spawn(async move {
            let mut head = 4;
            while let Some(question) = message(&mut from_client, head).await {
                // A statement, as the driver sends it: by name, or as it stands.
                if head == 5 && matches!(question.first(), Some(b'E' | b'Q')) {
                    asked.statements.fetch_add(1, Ordering::SeqCst);
                }
                asked.heard(nth).await;
                if to_server.write_all(&question).await.is_err() {
                    return;
                }
                head = 5;
            }
        });
        ways.spawn(async move {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                answered.heard(nth).await;
                if to_client.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        });
        ways.join_next().await;
    }
}

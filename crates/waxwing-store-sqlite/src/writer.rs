//! The one thread that writes: what comes together is committed together, and nothing is
//! acknowledged before its commit is on the disk.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};
use waxwing_jobs::{Bounds, Clock, StoreError};

use crate::error::{Error, blame};
use crate::ops::Tx;

/// The most operations in one commit.
const MOST: usize = 256;

/// The longest a commit waits for the operations that it expects.
const PATIENCE: Duration = Duration::from_millis(1);

/// The most operations that wait for the writer; more wait before they are sent.
const QUEUE: usize = 4096;

/// One caller's part of a commit.
trait Operation: Send {
    /// Does it, and says whether what it did is to be kept.
    fn run(&mut self, tx: &Tx<'_>) -> Part;

    /// Tells the caller, once it is known what became of the commit.
    fn acknowledge(self: Box<Self>, committed: Result<(), StoreError>);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Keep,
    Undo,
}

/// An operation that has not run, or whose result waits for the commit.
struct Pending<T, F> {
    operation: Option<F>,
    result: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Operation for Pending<T, F>
where
    T: Send,
    F: FnOnce(&Tx<'_>) -> Result<T, Error> + Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> Part {
        self.result = self.operation.take().map(|run| run(tx).map_err(StoreError::from));
        if matches!(self.result, Some(Ok(_))) { Part::Keep } else { Part::Undo }
    }

    fn acknowledge(self: Box<Self>, committed: Result<(), StoreError>) {
        let result = match (self.result, committed) {
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(gone()),
        };
        // Nobody may be waiting any more; what was committed stays.
        let _ = self.caller.send(result);
    }
}

/// The way to the writing thread, which ends when this is dropped and the queue is empty.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Sender<Box<dyn Operation>>,
    room: Semaphore,
}

fn gone() -> StoreError {
    StoreError::Fault("the writing thread has ended".to_owned())
}

impl Writer {
    pub(crate) fn spawn(
        connection: Connection,
        bounds: Bounds,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let (queue, operations) = channel();
        let run = move || Loop { connection, bounds, clock, expected: 1 }.run(&operations);
        std::thread::Builder::new()
            .name("waxwing-sqlite".to_owned())
            .spawn(run)
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { queue, room: Semaphore::new(QUEUE) })
    }

    /// Has the writer do `operation`, and returns what it gave once that is committed.
    pub(crate) async fn write<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let _room = self.room.acquire().await.map_err(|_| gone())?;
        let (caller, answer) = oneshot::channel();
        let pending = Pending { operation: Some(operation), result: None, caller };
        self.queue.send(Box::new(pending)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

struct Loop {
    connection: Connection,
    bounds: Bounds,
    clock: Arc<dyn Clock>,
    /// How many operations the last commit had. As many callers are likely to come again, so a
    /// commit waits for as many, and a caller who is alone never waits.
    expected: usize,
}

impl Loop {
    fn run(mut self, operations: &Receiver<Box<dyn Operation>>) {
        while let Ok(first) = operations.recv() {
            let mut parts = Vec::with_capacity(self.expected);
            parts.push(first);
            let committed = self.commit(&mut parts, operations).map_err(|error| blame(&error));
            if let Err(error) = &committed {
                tracing::warn!(%error, operations = parts.len(), "a commit failed");
                if !self.connection.is_autocommit() {
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
            }
            self.expected = parts.len();
            parts.into_iter().for_each(|part| part.acknowledge(committed.clone()));
        }
    }

    fn commit(
        &self,
        parts: &mut Vec<Box<dyn Operation>>,
        operations: &Receiver<Box<dyn Operation>>,
    ) -> rusqlite::Result<()> {
        self.execute("BEGIN IMMEDIATE")?;
        let start = Instant::now();
        let mut done = 0;
        while let Some(part) = parts.get_mut(done) {
            self.part(part.as_mut())?;
            done += 1;
            if done == parts.len() && done < MOST {
                parts.extend(self.next(operations, done, start));
            }
        }
        self.execute("COMMIT")
    }

    /// The next operation for this commit: what is there, or comes while it is expected to.
    fn next(
        &self,
        operations: &Receiver<Box<dyn Operation>>,
        so_far: usize,
        start: Instant,
    ) -> Option<Box<dyn Operation>> {
        if let Ok(operation) = operations.try_recv() {
            return Some(operation);
        }
        let left = PATIENCE.checked_sub(start.elapsed()).filter(|_| so_far < self.expected)?;
        operations.recv_timeout(left).ok()
    }

    /// Does one operation so that its failure undoes it alone.
    fn part(&self, part: &mut dyn Operation) -> rusqlite::Result<()> {
        self.execute("SAVEPOINT part")?;
        let tx = Tx::new(&self.connection, self.clock.now_ms(), &self.bounds);
        if part.run(&tx) == Part::Undo {
            self.execute("ROLLBACK TO part")?;
        }
        self.execute("RELEASE part")
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }
}

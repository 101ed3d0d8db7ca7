//! The one thread that writes: what comes together is committed together, and nothing is
//! acknowledged before its commit is on the disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use waxwing_jobs::{Bounds, StoreError};

use crate::clock::FileClock;
use crate::error::{Error, blame};
use crate::ops::Tx;
use crate::row::{integer, natural};

/// The most operations in one commit.
const MOST: usize = 256;

/// The most operations that wait for the writer; more wait before they are sent.
const QUEUE: usize = 4096;

/// One caller's part of a commit.
trait Operation: Send {
    /// Does it, and says whether what it did is to be kept. A second run counts in the first one's
    /// place, all of which was undone.
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
    operation: F,
    result: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
    /// Its place in the queue, taken even when the caller has gone.
    _room: OwnedSemaphorePermit,
}

impl<T, F> Operation for Pending<T, F>
where
    T: Send,
    F: FnMut(&Tx<'_>) -> Result<T, Error> + Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> Part {
        // What a panic leaves behind in the file is undone, and it ends nobody else's operation.
        let fault = || StoreError::Fault("an operation of the store panicked".to_owned());
        let run = || (self.operation)(tx).map_err(StoreError::from);
        let ran = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(fault()));
        let part = if ran.is_ok() { Part::Keep } else { Part::Undo };
        self.result = Some(ran);
        part
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
    room: Arc<Semaphore>,
}

fn gone() -> StoreError {
    StoreError::Fault("the writing thread has ended".to_owned())
}

impl Writer {
    pub(crate) fn spawn(
        connection: Connection,
        bounds: Bounds,
        clock: Arc<FileClock>,
    ) -> Result<Self, StoreError> {
        let (queue, operations) = channel();
        let run = move || Loop { connection, bounds, clock }.run(&operations);
        std::thread::Builder::new()
            .name("waxwing-sqlite".to_owned())
            .spawn(run)
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { queue, room: Arc::new(Semaphore::new(QUEUE)) })
    }

    /// Has the writer do `operation`, and returns what it gave once that is committed. It is done
    /// a second time when another's failure undid the first.
    pub(crate) async fn write<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| gone())?;
        let (caller, answer) = oneshot::channel();
        let pending = Pending { operation, result: None, caller, _room: room };
        self.queue.send(Box::new(pending)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

struct Loop {
    connection: Connection,
    bounds: Bounds,
    clock: Arc<FileClock>,
}

impl Loop {
    fn run(self, operations: &Receiver<Box<dyn Operation>>) {
        while let Ok(first) = operations.recv() {
            let mut parts = vec![first];
            let committed = self.commit(&mut parts, operations).map_err(|error| blame(&error));
            if let Err(error) = &committed {
                tracing::warn!(%error, operations = parts.len(), "a commit failed");
                if !self.connection.is_autocommit() {
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
            }
            parts.into_iter().for_each(|part| part.acknowledge(committed.clone()));
        }
    }

    /// Does the operations there are, and those that arrive meanwhile. It waits for none: while one
    /// commit is synced the next ones gather in the queue, and waiting longer measured no better.
    ///
    /// A savepoint for each would have SQLite copy every page that each of them touches. So they go
    /// without, and only when one fails are all of them undone and done again with savepoints.
    fn commit(
        &self,
        parts: &mut Vec<Box<dyn Operation>>,
        operations: &Receiver<Box<dyn Operation>>,
    ) -> rusqlite::Result<()> {
        if self.transaction(parts, operations, Self::bare)? == Part::Keep {
            return Ok(());
        }
        self.transaction(parts, operations, Self::apart).map(drop)
    }

    /// One transaction of all operations, each done by `one`; undone as a whole where that says so.
    fn transaction(
        &self,
        parts: &mut Vec<Box<dyn Operation>>,
        operations: &Receiver<Box<dyn Operation>>,
        one: fn(&Self, &mut dyn Operation) -> rusqlite::Result<Part>,
    ) -> rusqlite::Result<Part> {
        self.execute("BEGIN IMMEDIATE")?;
        self.read_time()?;
        let before = self.connection.total_changes();
        let mut done = 0;
        while let Some(part) = parts.get_mut(done) {
            if one(self, part.as_mut())? == Part::Undo {
                // A full disk may have undone it already.
                if !self.connection.is_autocommit() {
                    self.execute("ROLLBACK")?;
                }
                return Ok(Part::Undo);
            }
            done += 1;
            if done == parts.len() && done < MOST {
                parts.extend(operations.try_recv());
            }
        }
        if self.connection.total_changes() != before {
            self.keep_time()?;
        }
        self.execute("COMMIT")?;
        Ok(Part::Keep)
    }

    fn read_time(&self) -> rusqlite::Result<()> {
        let mut kept = self.connection.prepare_cached("SELECT now_ms FROM totals")?;
        self.clock.catch_up(kept.query_row([], |row| natural(row, 0))?);
        Ok(())
    }

    fn keep_time(&self) -> rusqlite::Result<()> {
        let mut keep = self.connection.prepare_cached("UPDATE totals SET now_ms = ?1")?;
        keep.execute([integer(self.clock.now_ms())]).map(drop)
    }

    fn bare(&self, part: &mut dyn Operation) -> rusqlite::Result<Part> {
        Ok(part.run(&Tx::new(&self.connection, self.clock.now_ms(), &self.bounds)))
    }

    /// Does one operation so that its failure undoes it alone.
    fn apart(&self, part: &mut dyn Operation) -> rusqlite::Result<Part> {
        self.execute("SAVEPOINT part")?;
        if self.bare(part)? == Part::Undo {
            self.execute("ROLLBACK TO part")?;
        }
        self.execute("RELEASE part")?;
        Ok(Part::Keep)
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }
}

#[cfg(test)]
mod tests;

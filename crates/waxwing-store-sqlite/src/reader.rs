//! A small pool of connections that only read, each used by one blocking task at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;
use waxwing_jobs::StoreError;

use crate::error::Error;
use crate::safety::connect_reader;

#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
}

impl Readers {
    /// Opens `size` connections.
    pub(crate) fn open(path: PathBuf, size: usize) -> Result<Arc<Self>, StoreError> {
        let idle = (0..size).map(|_| connect_reader(&path)).collect::<Result<Vec<_>, _>>()?;
        let free = Arc::new(Semaphore::new(size));
        Ok(Arc::new(Self { path, idle: Mutex::new(idle), free }))
    }

    /// Runs `read` on a free connection, off the async threads.
    pub(crate) async fn read<T, F>(self: &Arc<Self>, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    {
        let gone = || StoreError::Fault("a read did not end".to_owned());
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(|_| gone())?;
        let pool = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let connection = pool.take()?;
            let done = read(&connection).map_err(StoreError::from);
            pool.put_back(connection);
            drop(permit);
            done
        });
        task.await.map_err(|_| gone())?
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // One is missing after a panic in a read: make it anew.
        idle.map_or_else(|| connect_reader(&self.path), Ok)
    }

    fn put_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

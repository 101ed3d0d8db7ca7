//! How many calls of one tool run, how many wait, and that one more is refused.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

/// The door of one tool.
#[derive(Debug)]
pub(crate) struct Gate {
    running: Semaphore,
    waiting: AtomicUsize,
    queue: usize,
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Gate {
    pub(crate) fn new(concurrency: usize, queue: usize) -> Self {
        let running = Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS));
        Self { running, waiting: AtomicUsize::new(0), queue }
    }

    /// A place to run in, as soon as one is free; first come, first served.
    pub(crate) async fn enter(&self) -> Result<SemaphorePermit<'_>, Full> {
        if let Ok(permit) = self.running.try_acquire() {
            return Ok(permit);
        }
        let _place = self.wait().ok_or(Full)?;
        // The semaphore is never closed, so an error cannot come; refusing is right if it did.
        self.running.acquire().await.map_err(|_| Full)
    }

    fn wait(&self) -> Option<Place<'_>> {
        let taken = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
            (waiting < self.queue).then_some(waiting + 1)
        });
        taken.is_ok().then_some(Place(&self.waiting))
    }
}

/// One place in the queue, given back however the waiting ends.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn runs_some_queues_some_and_refuses_the_rest() {
        let gate = Gate::new(1, 1);
        let first = gate.enter().await.unwrap();
        let mut second = pin!(gate.enter());
        assert!(futures_pending(second.as_mut()).await);
        assert_eq!(gate.enter().await.unwrap_err(), Full);
        drop(first);
        drop(second.await.unwrap());
        drop(gate.enter().await.unwrap());
    }

    #[tokio::test]
    async fn one_that_stops_waiting_leaves_its_place() {
        let gate = Gate::new(1, 1);
        let _first = gate.enter().await.unwrap();
        {
            let mut gone = pin!(gate.enter());
            assert!(futures_pending(gone.as_mut()).await);
        }
        let mut next = pin!(gate.enter());
        assert!(futures_pending(next.as_mut()).await);
    }

    /// Polls once.
    async fn futures_pending<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
        std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending()))
            .await
    }
}

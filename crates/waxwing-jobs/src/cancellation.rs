//! How a running job learns that it should stop.

use tokio::sync::watch;

/// The side that asks: held by the engine.
#[derive(Debug)]
pub struct Canceller(watch::Sender<bool>);

/// The side that listens: given to the work. Clones listen to the same request.
#[derive(Clone, Debug)]
pub struct Cancellation(watch::Receiver<bool>);

impl Canceller {
    /// A pair that has not been cancelled.
    #[must_use]
    pub fn new() -> (Self, Cancellation) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Cancellation(receiver))
    }

    /// Asks the work to stop; asking again changes nothing.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

impl Cancellation {
    /// Whether the work has been asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once the work has been asked to stop. Safe to drop and call again.
    pub async fn cancelled(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|cancelled| *cancelled).await.is_err() {
            // The engine is gone without asking: whoever waits here is about to be dropped too.
            std::future::pending::<()>().await;
        }
    }
}

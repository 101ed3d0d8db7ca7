//! Group commit: calls that come together become one write. While one is on its way the next ones
//! gather.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use waxwing_jobs::StoreError;

/// The most items in one write; a call with more is one write of its own.
const MOST: usize = 256;

/// The most calls that wait; more wait before they are sent.
const QUEUE: usize = 4096;

type Work<R> = Pin<Box<dyn Future<Output = Result<Vec<R>, StoreError>> + Send>>;

/// What a write does with its items: a verdict for each, in order.
pub(crate) trait Writes<T, R>: Send + Sync + 'static {
    fn write(self: Arc<Self>, items: Vec<T>) -> Work<R>;
}

struct Call<T, R> {
    items: Vec<T>,
    caller: oneshot::Sender<Result<Vec<R>, StoreError>>,
}

/// The way to the writers of one kind of item.
#[derive(Debug)]
pub(crate) struct Group<T, R>(Sender<Call<T, R>>);

fn gone() -> StoreError {
    StoreError::Fault("the writing task has ended".to_owned())
}

impl<T: Clone + Send + 'static, R: Send + 'static> Group<T, R> {
    /// Starts a task that has at most `writers` writes on their way at once. It ends when this is
    /// dropped and the queue is empty.
    pub(crate) fn spawn(target: Arc<impl Writes<T, R>>, writers: usize) -> Self {
        let (queue, calls) = channel(QUEUE);
        tokio::spawn(run(target, calls, Arc::new(Semaphore::new(writers))));
        Self(queue)
    }

    /// Has the items written, together with those of other calls.
    pub(crate) async fn write(&self, items: Vec<T>) -> Result<Vec<R>, StoreError> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let (caller, answer) = oneshot::channel();
        self.0.send(Call { items, caller }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

async fn run<T: Clone + Send + 'static, R: Send + 'static>(
    target: Arc<impl Writes<T, R>>,
    mut queue: Receiver<Call<T, R>>,
    writers: Arc<Semaphore>,
) {
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(call) => call,
            None => match queue.recv().await {
                Some(call) => call,
                None => return,
            },
        };
        let Ok(permit) = Arc::clone(&writers).acquire_owned().await else { return };
        // Those whose last call was just answered are about to call again.
        tokio::task::yield_now().await;
        let mut size = first.items.len();
        let mut calls = vec![first];
        while size < MOST
            && let Ok(call) = queue.try_recv()
        {
            if size + call.items.len() > MOST {
                next = Some(call);
                break;
            }
            size += call.items.len();
            calls.push(call);
        }
        tokio::spawn(answer(Arc::clone(&target), calls, permit));
    }
}

async fn answer<T: Clone + Send + 'static, R: Send + 'static>(
    target: Arc<impl Writes<T, R>>,
    calls: Vec<Call<T, R>>,
    _permit: OwnedSemaphorePermit,
) {
    let items = calls.iter().flat_map(|call| call.items.iter().cloned()).collect();
    match Arc::clone(&target).write(items).await {
        Ok(verdicts) => {
            let mut verdicts = verdicts.into_iter();
            for call in calls {
                let own: Vec<R> = verdicts.by_ref().take(call.items.len()).collect();
                let answer = if own.len() == call.items.len() { Ok(own) } else { Err(gone()) };
                // Nobody may be waiting any more; what was committed stays.
                let _ = call.caller.send(answer);
            }
        }
        // Nothing was written. One call's fault must not fail the others.
        Err(error) if calls.len() == 1 || matches!(error, StoreError::Unavailable(_)) => {
            for call in calls {
                let _ = call.caller.send(Err(error.clone()));
            }
        }
        Err(_) => {
            for call in calls {
                let done = Arc::clone(&target).write(call.items).await;
                let _ = call.caller.send(done);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Doubles numbers, refuses a batch that holds a zero, and notes how large its batches were.
    #[derive(Default)]
    struct Double {
        sizes: Mutex<Vec<usize>>,
        away: AtomicUsize,
    }

    impl Writes<u32, u32> for Double {
        fn write(self: Arc<Self>, items: Vec<u32>) -> Work<u32> {
            Box::pin(async move {
                tokio::task::yield_now().await;
                self.sizes.lock().unwrap().push(items.len());
                if self.away.load(Ordering::SeqCst) > 0 {
                    return Err(StoreError::Unavailable("away".into()));
                }
                if items.contains(&0) {
                    return Err(StoreError::Corrupt("zero".into()));
                }
                Ok(items.into_iter().map(|item| item * 2).collect())
            })
        }
    }

    #[tokio::test]
    async fn calls_that_come_together_are_one_write_and_each_gets_its_own_verdicts() {
        let double = Arc::new(Double::default());
        let group = Arc::new(Group::spawn(Arc::clone(&double), 1));
        let call = |n: u32| {
            let group = Arc::clone(&group);
            tokio::spawn(async move { (n, group.write(vec![n, n + 1]).await) })
        };
        let calls: Vec<_> = (1..=100).map(call).collect();
        for call in calls {
            let (n, verdicts) = call.await.unwrap();
            assert_eq!(verdicts, Ok(vec![n * 2, n * 2 + 2]));
        }
        let sizes = double.sizes.lock().unwrap().clone();
        assert!(sizes.len() < 50, "{sizes:?}");
        assert!(sizes.iter().all(|size| *size <= MOST), "{sizes:?}");
    }

    #[tokio::test]
    async fn one_calls_fault_fails_no_other_and_an_absence_fails_all_at_once() {
        let double = Arc::new(Double::default());
        let group = Arc::new(Group::spawn(Arc::clone(&double), 1));
        let (a, b, c) =
            tokio::join!(group.write(vec![1]), group.write(vec![0]), group.write(vec![3]));
        assert_eq!((a, c), (Ok(vec![2]), Ok(vec![6])));
        assert!(matches!(b, Err(StoreError::Corrupt(_))));
        double.away.store(1, Ordering::SeqCst);
        double.sizes.lock().unwrap().clear();
        let (a, b) = tokio::join!(group.write(vec![1]), group.write(vec![2]));
        assert!(matches!(
            (a, b),
            (Err(StoreError::Unavailable(_)), Err(StoreError::Unavailable(_)))
        ));
        assert!(double.sizes.lock().unwrap().len() <= 2);
        assert_eq!(group.write(Vec::new()).await, Ok(Vec::new()));
    }
}

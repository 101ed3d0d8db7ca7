//! A connection cut at every statement of a fixed workload: before it reaches the server, while the
//! server works on it, and after it was done but before its answer came. The store must give the
//! same verdicts as if nothing had happened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use waxwing_jobs::{
    Admission, Answers, Beat, BeatVerdict, Bounds, CancelRequest, CancelVerdict, Cause, Failure,
    InputKey, InputRequest, InputRequests, NewJob, Outcome, Phase, Progress, PurgeVerdict,
    RequeueVerdict, Settle, SettleVerdict, Started, Store, state::Cancel,
};
use waxwing_store_postgres::{PostgresConfig, PostgresStore};

use crate::support::{
    LEASE, Place, StillClock, claim, find, id, json, keyed, miscounted, nonce, order, owner,
};

/// When a connection is cut, seen from the statement that it is cut at.
#[derive(Clone, Copy, Debug)]
enum Moment {
    BeforeItIsSent,
    WhileItRuns,
    BeforeItsAnswer,
}

/// A door to the server that is slammed at given statements, counted over all connections.
struct Door {
    folder: tempfile::TempDir,
    statements: Arc<AtomicUsize>,
}

impl Door {
    fn new(server: &Path, cuts: Vec<usize>, moment: Moment) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let (socket, statements) = (server.join(".s.PGSQL.5432"), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&statements);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let pass = Pass { counter: Arc::clone(&counter), cuts: cuts.clone(), moment };
                tokio::spawn(pass.through(client, socket.clone()));
            }
        });
        Self { folder, statements }
    }
}

struct Pass {
    counter: Arc<AtomicUsize>,
    cuts: Vec<usize>,
    moment: Moment,
}

impl Pass {
    /// Carries messages in both directions until one is cut.
    async fn through(self, client: UnixStream, server: PathBuf) {
        let Ok(server) = UnixStream::connect(server).await else { return };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let held = Arc::new(AtomicBool::new(false));
        let answers = tokio::spawn(answers(from_server, to_client, Arc::clone(&held)));
        // The answers end first when the server does; else both ends are closed by the drop.
        let mut answers = AbortOnDrop(answers);
        tokio::select! {
            _ = &mut answers.0 => {}
            cut = self.questions(from_client, to_server, held) => {
                if cut.is_some() && matches!(self.moment, Moment::BeforeItsAnswer) {
                    let _ = (&mut answers.0).await;
                }
            }
        }
    }

    /// Returns once the client is gone or a statement is cut.
    async fn questions(
        &self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        held: Arc<AtomicBool>,
    ) -> Option<OwnedWriteHalf> {
        let mut first = message(&mut from, 4).await?;
        loop {
            // Executes a statement, as the driver sends it.
            let nth = match first.first() {
                Some(b'E') => self.counter.fetch_add(1, Ordering::SeqCst) + 1,
                _ => 0,
            };
            let cut = nth > 0 && self.cuts.contains(&nth);
            if cut && matches!(self.moment, Moment::BeforeItIsSent) {
                return None;
            }
            held.fetch_or(cut, Ordering::SeqCst);
            to.write_all(&first).await.ok()?;
            let next = message(&mut from, 5).await?;
            if cut {
                // A statement is not committed before the Sync that follows it.
                to.write_all(&next).await.ok()?;
                return Some(to);
            }
            first = next;
        }
    }
}

/// Carries answers, and once they are held, only waits for the end of one.
async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, held: Arc<AtomicBool>) {
    let mut buffer = vec![0; 1 << 16];
    let mut last = Vec::new();
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if held.load(Ordering::SeqCst) {
            last.extend_from_slice(&buffer[..read]);
            // ReadyForQuery: type, length, state.
            if last.ends_with(b"Z\x00\x00\x00\x05I") {
                return;
            }
        } else if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// A task that ends with its owner.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One message of the protocol: a type, but for the first, and a length that counts itself.
pub(crate) async fn message(stream: &mut OwnedReadHalf, head: usize) -> Option<Vec<u8>> {
    let mut message = vec![0; head];
    stream.read_exact(&mut message).await.ok()?;
    let length = u32::from_be_bytes(message[head - 4..].try_into().unwrap()) as usize;
    message.resize(head + length - 4, 0);
    stream.read_exact(&mut message[head..]).await.ok()?;
    Some(message)
}

/// Goes through every operation; each verdict must be that of an undisturbed run.
async fn workload(store: &dyn Store, run: usize, clock: &StillClock) {
    let name = |name: &str| format!("{name}-{run}");
    let starts = vec![
        order(&name("done")).with_nonce(nonce(&name("n"))),
        keyed(&name("parked"), &name("key")),
        order(&name("failed")),
        order(&name("cancelled")),
    ];
    assert_eq!(store.start(starts).await.unwrap(), vec![Started::Created; 4]);
    let again = store.start(vec![keyed(&name("other"), &name("key"))]).await.unwrap();
    assert!(
        matches!(&again[..], [Started::Existing { id: first, .. }] if *first == id(&name("parked")))
    );
    let replay = order(&name("replay")).with_nonce(nonce(&name("n")));
    assert_eq!(store.start(vec![replay]).await.unwrap(), [Started::Replayed]);
    let record = nonce(&name("m"));
    use Admission::{Fresh, Replayed};
    assert_eq!(store.admit(vec![record.clone(), record.clone()]).await.unwrap(), [Fresh, Replayed]);
    assert_eq!(store.admit(vec![record]).await.unwrap(), [Replayed]);
    let cancelled = store.cancel(&owner(), &id(&name("cancelled")), CancelRequest::default()).await;
    assert_eq!(cancelled, Ok(CancelVerdict::Settled));
    let jobs = store.claim(claim(9)).await.unwrap();
    assert_eq!(jobs.len(), 3);
    assert!(jobs.iter().all(|job| job.attempt == 1 && job.ticket.epoch == 1));
    let ticket =
        |of: &str| jobs.iter().find(|job| job.ticket.id == id(&name(of))).unwrap().ticket.clone();
    let settle = async |ticket, outcome| {
        let settled = store.settle(vec![Settle { ticket, outcome }]).await;
        assert_eq!(settled, Ok(vec![SettleVerdict::Done]));
    };
    let progress = Progress::new(1.0, Some(2.0), None);
    let beat = Beat { ticket: ticket("done"), lease: LEASE, progress, checkpoint: Some(json(1)) };
    assert_eq!(store.beat(vec![beat]).await.unwrap(), [BeatVerdict::Held(Cancel::NotAsked)]);
    settle(ticket("done"), Outcome::Complete(json("x".repeat(9000)))).await;
    settle(ticket("failed"), Outcome::Fail(Failure::new(Cause::Tool, "no"))).await;
    let key = InputKey::new("k").unwrap();
    let request = InputRequest { message: "?".into(), schema: json(true) };
    let requests = InputRequests::new([(key.clone(), request)].into()).unwrap();
    settle(ticket("parked"), Outcome::Park { requests, checkpoint: None }).await;
    let answers = Answers::new([(key.clone(), json(1))].into());
    let answered = store.answer(&owner(), &id(&name("parked")), answers).await.unwrap().unwrap();
    assert_eq!(answered.taken, [key]);
    let requeued = store.requeue(vec![id(&name("failed"))]).await;
    assert_eq!(requeued, Ok(vec![RequeueVerdict::Done]));
    for job in store.claim(claim(9)).await.unwrap() {
        assert_eq!((job.attempt, job.ticket.epoch), (1, 2));
        settle(job.ticket, Outcome::Complete(json(2))).await;
    }
    for (of, output) in [("done", json("x".repeat(9000))), ("failed", json(2)), ("parked", json(2))]
    {
        let phase = find(store, &name(of)).await.unwrap().phase;
        assert_eq!(phase, Phase::Completed { output }, "{of}");
    }
    assert_eq!(store.sweep(100).await.unwrap().lapsed, 0);
    upkeep(store, run, clock).await;
    let purged = store.purge(vec![id(&name("done"))]).await;
    assert_eq!(purged, Ok(vec![PurgeVerdict::Done]));
    let census = store.census().await.unwrap();
    assert_eq!((census.queued, census.running, census.parked), (0, 0, 0));
}

/// A delayed job comes into the queue, a lease runs out, a lifetime ends.
async fn upkeep(store: &dyn Store, run: usize, clock: &StillClock) {
    let name = |name: &str| format!("{name}-{run}");
    let rare = waxwing_core::ToolName::new("rare").unwrap();
    let brief = NewJob::new(id(&name("brief")), owner(), rare, json(1));
    let starts = vec![order(&name("later")), order(&name("dead")), brief.with_ttl(LEASE)];
    assert_eq!(store.start(starts).await.unwrap(), vec![Started::Created; 3]);
    let jobs = store.claim(claim(9)).await.unwrap();
    let names: Vec<_> = jobs.iter().map(|job| job.ticket.id.clone()).collect();
    assert_eq!(names, [id(&name("later")), id(&name("dead"))]);
    let after = Duration::from_secs(1);
    let outcome = Outcome::Retry { after, failure: Failure::new(Cause::Tool, "not yet") };
    let settled = store.settle(vec![Settle { ticket: jobs[0].ticket.clone(), outcome }]).await;
    assert_eq!(settled, Ok(vec![SettleVerdict::Done]));
    assert!(store.claim(claim(9)).await.unwrap().is_empty());
    let again = async |of: &str| {
        let job = store.claim(claim(9)).await.unwrap().remove(0);
        assert_eq!((job.attempt, job.ticket.id.clone()), (2, id(&name(of))));
        let settle = Settle { ticket: job.ticket, outcome: Outcome::Complete(json(2)) };
        assert_eq!(store.settle(vec![settle]).await, Ok(vec![SettleVerdict::Done]));
    };
    clock.advance(after).await;
    again("later").await;
    clock.advance(LEASE).await;
    assert_eq!(store.sweep(100).await.unwrap().lapsed, 1);
    again("dead").await;
    assert!(find(store, &name("brief")).await.is_none());
    let settle = Settle { ticket: jobs[1].ticket.clone(), outcome: Outcome::Complete(json(1)) };
    assert_eq!(store.settle(vec![settle]).await, Ok(vec![SettleVerdict::Stale]));
    for of in ["later", "dead"] {
        let phase = find(store, &name(of)).await.unwrap().phase;
        assert_eq!(phase, Phase::Completed { output: json(2) }, "{of}");
    }
}

/// Has statements prepared, which is the default.
const PREPARED: &str = "";

/// Has each asked as it comes, as behind a pooler.
const PLAIN: &str = "&pooled=true";

/// Runs the workload with the connection cut at these statements, and gives how many there were.
async fn disturbed(
    (place, clock): (&Place, &StillClock),
    run: usize,
    way: &str,
    (cuts, moment): (&[usize], Moment),
) -> usize {
    let door = Door::new(place.server.folder(), cuts.to_vec(), moment);
    let (from, to) = (place.server.folder().display(), door.folder.path().display());
    let url = place.url().replace(&from.to_string(), &to.to_string()) + way + "&connections=1";
    let config = PostgresConfig::parse(&url).unwrap();
    let store = PostgresStore::open(&config, Bounds::default()).await.unwrap();
    workload(&store, run, clock).await;
    door.statements.load(Ordering::SeqCst)
}

/// Runs the workload on a schema of its own once for each of these cuts.
async fn each(cuts: &[Vec<usize>], way: &str, moment: Moment) {
    let place = Place::new("a_connection_cut_at_any_statement").unwrap();
    drop(place.open(Bounds::default()).await.unwrap());
    let clock = StillClock::of(&place).await;
    for (run, cuts) in cuts.iter().enumerate() {
        disturbed((&place, &clock), run, way, (cuts, moment)).await;
    }
    assert_eq!(miscounted(&place.client().await, &place.schema).await, [""; 0]);
}

/// How many statements the workload asks in this way.
async fn statements(way: &str) -> usize {
    let place = Place::new("a_connection_cut_at_any_statement").unwrap();
    drop(place.open(Bounds::default()).await.unwrap());
    let clock = StillClock::of(&place).await;
    let none: (&[usize], _) = (&[], Moment::BeforeItIsSent);
    let statements = disturbed((&place, &clock), 0, way, none).await;
    assert!(statements > 60, "the workload asks for something: {statements}");
    statements
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_cut_at_any_statement_changes_no_verdict() {
    if Place::new("a_connection_cut_at_any_statement").is_none() {
        return;
    }
    let quick = std::env::var("WAXWING_QUICK").is_ok_and(|quick| quick == "1");
    let step = if quick { 9 } else { 1 };
    let (prepared, plain) = tokio::join!(statements(PREPARED), statements(PLAIN));
    let once = |statements| (1..=statements).step_by(step).map(|cut| vec![cut]).collect();
    let (prepared, once): (Vec<Vec<usize>>, Vec<_>) = (once(prepared), once(plain));
    // And again while the first is being recovered from.
    let thirds = (1..=plain).step_by(step).filter(|cut| cut % 3 == 0);
    let twice: Vec<Vec<usize>> =
        thirds.flat_map(|cut| (1..=3).map(move |later| vec![cut, cut + later])).collect();
    // A run mostly waits for the next try to connect.
    tokio::join!(
        each(&prepared, PREPARED, Moment::BeforeItIsSent),
        each(&prepared, PREPARED, Moment::WhileItRuns),
        each(&prepared, PREPARED, Moment::BeforeItsAnswer),
        each(&once, PLAIN, Moment::BeforeItsAnswer),
        each(&twice, PLAIN, Moment::BeforeItsAnswer),
    );
}

/// Has no work, and so waits.
struct Nothing;

#[async_trait::async_trait]
impl waxwing_jobs::Runner for Nothing {
    fn kinds(&self) -> Vec<waxwing_jobs::Kind> {
        vec![crate::support::kind().into()]
    }

    async fn run(
        &self,
        _: waxwing_jobs::JobContext,
    ) -> Result<waxwing_jobs::RunOutcome, waxwing_jobs::JobFailure> {
        panic!("there is no work")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_asks_at_most_once_a_second() {
    let Some(place) = Place::new("an_idle_worker_asks_at_most_once_a_second") else { return };
    let door = Door::new(place.server.folder(), Vec::new(), Moment::WhileItRuns);
    let (from, to) = (place.server.folder().display(), door.folder.path().display());
    let url = place.url().replace(&from.to_string(), &to.to_string()) + "&pooled=true";
    let config = PostgresConfig::parse(&url).unwrap();
    let store = Arc::new(PostgresStore::open(&config, Bounds::default()).await.unwrap());
    let engine = waxwing_jobs::Engine::launch(store, Arc::new(Nothing), Default::default());
    // What is asked once, at the start, is not what this is about.
    while door.statements.load(Ordering::SeqCst) < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let before = door.statements.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(8)).await;
    let asked = door.statements.load(Ordering::SeqCst) - before;
    assert!((4..=8).contains(&asked), "{asked} statements in eight seconds");
    drop(engine);
}

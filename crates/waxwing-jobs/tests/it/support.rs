//! A runner whose work each test decides, and short names for the usual steps.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use waxwing_core::{CanonicalJson, ClientId, JobId, ToolName};
use waxwing_jobs::{
    Answers, Bounds, Engine, EngineConfig, InputKey, InputRequest, InputRequests, JobContext,
    JobFailure, Kind, MemoryStore, NewJob, Phase, RunOutcome, Runner, Snapshot, Started, Store,
};

type Work = Pin<Box<dyn Future<Output = Result<RunOutcome, JobFailure>> + Send>>;

/// Runs jobs of these kinds as a closure says.
struct Doing<F>(Vec<Kind>, F);

#[async_trait]
impl<F> Runner for Doing<F>
where
    F: Fn(JobContext) -> Work + Send + Sync + 'static,
{
    fn kinds(&self) -> Vec<Kind> {
        self.0.clone()
    }

    async fn run(&self, context: JobContext) -> Result<RunOutcome, JobFailure> {
        (self.1)(context).await
    }
}

/// A runner of the kind `work` from an async closure.
pub(crate) fn doing<F, W>(work: F) -> Arc<dyn Runner>
where
    F: Fn(JobContext) -> W + Send + Sync + 'static,
    W: Future<Output = Result<RunOutcome, JobFailure>> + Send + 'static,
{
    doing_all(vec![kind("work").into()], work)
}

/// A runner of these kinds.
pub(crate) fn doing_all<F, W>(kinds: Vec<Kind>, work: F) -> Arc<dyn Runner>
where
    F: Fn(JobContext) -> W + Send + Sync + 'static,
    W: Future<Output = Result<RunOutcome, JobFailure>> + Send + 'static,
{
    Arc::new(Doing(kinds, move |context| Box::pin(work(context)) as Work))
}

pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Bounds::default()))
}

pub(crate) fn config() -> EngineConfig {
    EngineConfig::default()
}

pub(crate) fn launch(store: &Arc<dyn Store>, runner: Arc<dyn Runner>) -> Engine {
    Engine::launch(Arc::clone(store), runner, config())
}

pub(crate) fn owner() -> ClientId<'static> {
    ClientId::new("client").unwrap()
}

pub(crate) fn id(name: &str) -> JobId<'static> {
    JobId::new(name.to_owned()).unwrap()
}

pub(crate) fn kind(name: &str) -> ToolName<'static> {
    ToolName::new(name.to_owned()).unwrap()
}

pub(crate) fn json(value: impl serde::Serialize) -> CanonicalJson<'static> {
    CanonicalJson::from_serialize(&value).unwrap()
}

pub(crate) fn done(value: impl serde::Serialize) -> Result<RunOutcome, JobFailure> {
    Ok(RunOutcome::Complete(json(value)))
}

pub(crate) fn key(name: &str) -> InputKey {
    InputKey::new(name).unwrap()
}

pub(crate) fn ask(names: &[&str]) -> InputRequests {
    let request = InputRequest { message: "which?".into(), schema: json(true) };
    let all: BTreeMap<_, _> = names.iter().map(|name| (key(name), request.clone())).collect();
    InputRequests::new(all).unwrap()
}

pub(crate) fn answers(given: &[(&str, u32)]) -> Answers {
    Answers::new(given.iter().map(|(name, value)| (key(name), json(value))).collect())
}

pub(crate) fn order(name: &str) -> NewJob {
    NewJob::new(id(name), owner(), kind("work"), json(name))
}

pub(crate) async fn start(engine: &Engine, name: &str) {
    assert_eq!(engine.start(order(name)).await.unwrap(), Started::Created);
}

pub(crate) async fn get(engine: &Engine, name: &str) -> Snapshot {
    engine.get(&owner(), &id(name)).await.unwrap().unwrap()
}

/// Waits until the job is as the test wants it.
pub(crate) async fn until(
    engine: &Engine,
    name: &str,
    wanted: impl Fn(&Snapshot) -> bool,
) -> Snapshot {
    let waiting = async {
        loop {
            let job = get(engine, name).await;
            if wanted(&job) {
                return job;
            }
            let step = Duration::from_millis(5);
            tokio::time::sleep(step).await;
        }
    };
    let patience = Duration::from_secs(600);
    match tokio::time::timeout(patience, waiting).await {
        Ok(job) => job,
        Err(_) => panic!("{name} stays {:?}", get(engine, name).await),
    }
}

pub(crate) async fn ended(engine: &Engine, name: &str) -> Snapshot {
    until(engine, name, |job| job.phase.is_terminal()).await
}

pub(crate) fn output(job: &Snapshot) -> &str {
    match &job.phase {
        Phase::Completed { output } => output.as_str(),
        other => panic!("not completed but {other:?}: {:?}", job.attempts),
    }
}

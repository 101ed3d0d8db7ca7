//! What only a job tool may do: ask its caller, and leave a checkpoint for its next run.
//!
//! A question without an answer ends the run: the job is parked, no worker is held, and once the
//! answers are there the tool runs again from its start, where the same `ask` returns at once.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use waxwing_core::CanonicalJson;

use crate::context::CallContext;
use crate::failure::ToolError;
use crate::question::{Question, Questions};
use crate::schema::CompiledSchema;
use crate::text;

/// Characters of a question's message.
const LONGEST_MESSAGE: usize = 4096;
/// Bytes of a checkpoint's canonical JSON.
const LARGEST_CHECKPOINT: usize = 1 << 20;

/// The job a tool is serving, for the tools that ask for it: a [`CallContext`], and what only jobs
/// can do. A `sync` tool cannot take one, which does not compile:
///
/// ```compile_fail,E0277
/// # use waxwing_tools::{JobContext, Tool, ToolError};
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Args {}
/// Tool::sync("t", "d", |_: JobContext, _: Args| async move { Ok::<_, ToolError>(1) });
/// ```
///
/// Cheap to clone, so that parts of a tool that run side by side can each hold one.
#[derive(Clone, Debug)]
pub struct JobContext {
    call: CallContext,
    job: Arc<Job>,
}

#[derive(Clone, Default)]
struct Job {
    answers: BTreeMap<String, CanonicalJson<'static>>,
    checkpoint: Option<CanonicalJson<'static>>,
    save: Option<Arc<dyn Fn(CanonicalJson<'static>) + Send + Sync>>,
    asked: Arc<Mutex<Questions>>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Answers and checkpoints may hold secrets.
        f.debug_struct("Job").field("answers", &self.answers.len()).finish_non_exhaustive()
    }
}

impl JobContext {
    /// A job without answers or a checkpoint; what it leaves for its next run goes nowhere.
    #[must_use]
    pub fn new(call: CallContext) -> Self {
        Self { call, job: Arc::default() }
    }

    /// The same job with every answer it got in its life, by key.
    #[must_use]
    pub fn with_answers(
        mut self,
        answers: impl IntoIterator<Item = (String, CanonicalJson<'static>)>,
    ) -> Self {
        Arc::make_mut(&mut self.job).answers = answers.into_iter().collect();
        self
    }

    /// The same job with what an earlier run left.
    #[must_use]
    pub fn with_checkpoint(mut self, checkpoint: Option<CanonicalJson<'static>>) -> Self {
        Arc::make_mut(&mut self.job).checkpoint = checkpoint;
        self
    }

    /// The same job with its checkpoints given to `sink`, which must not block.
    #[must_use]
    pub fn with_saving(
        mut self,
        sink: impl Fn(CanonicalJson<'static>) + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.job).save = Some(Arc::new(sink));
        self
    }

    pub(crate) fn map_call(self, map: impl FnOnce(CallContext) -> CallContext) -> Self {
        Self { call: map(self.call), job: self.job }
    }

    pub(crate) fn into_call(self) -> CallContext {
        self.call
    }

    /// Asks the caller for a `T`, and gives the answer once there is one.
    ///
    /// Until then it fails with an error that is to be returned, with `?`: the run ends, the job
    /// waits as `input_required` without holding a worker, and is run again from its start when
    /// every answer is there. So do nothing before an `ask` that may not be done twice, or keep a
    /// [`Self::checkpoint`]. An attempt that ends so has not failed.
    ///
    /// All questions of a run are put at once. To ask for several things together, ask for each
    /// before the first `?`:
    ///
    /// ```
    /// # use waxwing_tools::{JobContext, ToolError};
    /// # fn order(ctx: &JobContext) -> Result<(), ToolError> {
    /// let (size, gift) = (ctx.ask::<u32>("size", "Which size?"), ctx.ask::<bool>("gift", "As a gift?"));
    /// let (size, gift) = (size?, gift?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// `key` names the question for the life of the job: 1 to 128 of `A-Za-z0-9._:-`, at most 64
    /// of them open at a time. `message` is for a person or a model; beyond 4096 characters it is
    /// cut. The answer is held to the schema of `T`, by the rules of arguments, before it is taken.
    ///
    /// # Errors
    /// The question, while it has no answer. A failure for good when the tool asks in a way that
    /// cannot be, or when the answer was taken for another question than this one.
    pub fn ask<T>(&self, key: &str, message: &str) -> Result<T, ToolError>
    where
        T: DeserializeOwned + JsonSchema,
    {
        let unaskable = |why: &str| {
            ToolError::new(format!("The tool cannot ask for {}: {why}.", text::quoted(key)))
        };
        let schema = CompiledSchema::of_answer::<T>().map_err(|fault| {
            unaskable("the schema of its answer breaks a rule").with_source(fault)
        })?;
        if let Some(answer) = self.job.answers.get(key) {
            return schema.decode(answer).map_err(|broken| misfit(key, &broken));
        }
        let canonical = CanonicalJson::from_serialize(schema.schema())
            .map_err(|error| unaskable("its schema cannot be written").with_source(error))?;
        let question = Question { message: text::cut(message, LONGEST_MESSAGE), schema: canonical };
        match self.asked().put(key, question) {
            Ok(()) => Err(ToolError::question(key)),
            Err(fault) => Err(unaskable(fault.why())),
        }
    }

    /// Leaves `state` for the next run of this job, should there be one: after a crash, a failure
    /// that is tried again, or a question. Replaces what was left before. Costs next to nothing;
    /// stored within a few tens of milliseconds, on every replica, and with the end of the run at
    /// the latest.
    ///
    /// # Errors
    /// A failure for good when `state` is no canonical JSON, or over 1 MiB of it.
    pub fn checkpoint<T: Serialize + ?Sized>(&self, state: &T) -> Result<(), ToolError> {
        let state = CanonicalJson::from_serialize(state).map_err(|error| {
            ToolError::new("The tool's checkpoint cannot be written.").with_source(error)
        })?;
        let bytes = state.as_str().len();
        if bytes > LARGEST_CHECKPOINT {
            let text =
                format!("The tool's checkpoint has {bytes} bytes, over {LARGEST_CHECKPOINT}.");
            return Err(ToolError::new(text));
        }
        if let Some(save) = &self.job.save {
            save(state);
        }
        Ok(())
    }

    /// What the last run left; `None` when none has left anything.
    ///
    /// # Errors
    /// A failure for good when what was left is no `T`, as after a change of the tool. A tool that
    /// may begin anew takes it for `None`.
    pub fn resumed<T: DeserializeOwned>(&self) -> Result<Option<T>, ToolError> {
        let decoded = self.job.checkpoint.as_ref().map(CanonicalJson::decode).transpose();
        decoded.map_err(|error| {
            ToolError::new("The tool cannot read what its last run left.").with_source(error)
        })
    }

    fn asked(&self) -> MutexGuard<'_, Questions> {
        self.job.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the run asked for and has no answer to.
    pub(crate) fn open_questions(&self) -> Questions {
        std::mem::take(&mut *self.asked())
    }
}

/// An answer that was taken for another question. It may be a secret, so it is not repeated.
fn misfit(key: &str, broken: &crate::Violations) -> ToolError {
    let wants: Vec<String> = broken
        .as_slice()
        .iter()
        .map(|one| format!("{}: expected {}", one.path, one.expected))
        .collect();
    let key = text::quoted(key);
    ToolError::new(format!(
        "The answer {key} no longer fits what the tool asks for. {}",
        wants.join("; ")
    ))
}

impl Deref for JobContext {
    type Target = CallContext;

    fn deref(&self) -> &CallContext {
        &self.call
    }
}

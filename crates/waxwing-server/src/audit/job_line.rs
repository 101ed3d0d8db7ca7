//! The line of a job's end, by whichever process stored that end. The engine waits for it, so a disk that
//! cannot keep up slows jobs down, and no more lines pile up than jobs run at once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use waxwing_core::{ErrorCode, ToolName};
use waxwing_crypto::audit::{AuditEvent, JobEvent, Verdict};
use waxwing_jobs::{AttemptEnd, JobEnd, JobEnding, Observer, Swept};

use super::{AuditLog, TimedEvent};
use crate::environment::Environment;
use crate::service::{Course, draining};

/// Writes down how jobs ended, and passes on what it hears.
pub(crate) struct JobLines {
    pub(crate) log: Arc<AuditLog>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) course: watch::Receiver<Course>,
    pub(crate) next: Arc<dyn Observer>,
}

impl fmt::Debug for JobLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobLines").field("next", &self.next).finish_non_exhaustive()
    }
}

impl JobLines {
    fn line(&self, job: &JobEnd<'_>) -> TimedEvent {
        let (verdict, code, result) = match job.how {
            JobEnding::Completed(output) => {
                (Verdict::Done, None, Some(self.log.key.digest_result(output)))
            }
            JobEnding::Failed => {
                (Verdict::Error, Some(ErrorCode::JobFailed.as_str().to_owned()), None)
            }
            JobEnding::Cancelled => (Verdict::Cancelled, None, None),
        };
        let event = JobEvent {
            job_id: job.id.clone(),
            client_id: job.owner.clone(),
            tool: job.kind.clone(),
            verdict,
            code,
            result,
        };
        TimedEvent { ts_ms: self.environment.now_ms(), event: AuditEvent::Job(Box::new(event)) }
    }
}

#[async_trait]
impl Observer for JobLines {
    fn claimed(&self, kind: &ToolName<'_>, attempt: u32, waited: Duration) {
        self.next.claimed(kind, attempt, waited);
    }

    fn ended(&self, kind: &ToolName<'_>, how: AttemptEnd, ran: Duration) {
        self.next.ended(kind, how, ran);
    }

    fn swept(&self, swept: &Swept) {
        self.next.swept(swept);
    }

    async fn job_ended(&self, job: &JobEnd<'_>) {
        let durable = self.log.send(self.line(job), None);
        // A stop writes what is on its way, and says so if the disk does not take it.
        tokio::select! {
            _ = durable => {}
            _ = draining(&self.course) => {}
        }
        self.next.job_ended(job).await;
    }
}

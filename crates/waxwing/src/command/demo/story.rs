//! Tells a demo on stderr: numbered steps, what was expected, what came.

use std::future::Future;

use super::server::ServerProcess;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// The steps so far.
pub(super) struct Story {
    steps: u32,
}

impl Story {
    pub(super) fn begin(server: &ServerProcess) -> Self {
        terminal::heading("Waxwing: signed, validated, durable tool calls");
        terminal::note(&format!(
            "A real server, process {}, listens on http://{}, with a fresh key and a new SQLite file.",
            server.id(),
            server.address(),
        ));
        Self { steps: 0 }
    }

    /// Does one step and says how it went. `act` gives what came, or what came instead.
    pub(super) async fn step(
        &mut self,
        what: &str,
        expected: &str,
        act: impl Future<Output = Result<String, String>>,
    ) -> Result<(), Failure> {
        self.steps += 1;
        let number = self.steps;
        terminal::heading(&format!("{number}. {what}"));
        terminal::note(&format!("   expected: {expected}"));
        match act.await {
            Ok(came) => {
                terminal::note(&format!("   came:     {}", came.replace('\n', "\n             ")));
                Ok(())
            }
            Err(came) => {
                let text = format!("step {number} of the demo did not do what it should: {came}");
                Err(Failure::new(Exit::Failed, text))
            }
        }
    }

    /// How many steps there were, all as they should be.
    pub(super) fn end(self) -> u32 {
        terminal::heading(&format!("All {} steps did what they should.", self.steps));
        self.steps
    }
}

//! How far a job is: a bar on a terminal, plain lines elsewhere. Both on stderr.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use waxwing_core::message::Progress;

use crate::terminal;

const BAR: &str = "{spinner} [{bar:32}] {pos}/{len} {wide_msg}";
const SPINNER: &str = "{spinner} {pos} {wide_msg}";
const NO_REPORT_YET: &str = "{spinner} waiting";

/// Where progress is shown. A bar is gone when this is dropped.
pub(crate) struct ProgressView(View);

enum View {
    Bar(ProgressBar),
    Lines,
}

impl ProgressView {
    pub(crate) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(View::Lines);
        }
        let bar = ProgressBar::no_length().with_style(style(NO_REPORT_YET));
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(View::Bar(bar))
    }

    pub(crate) fn show(&self, progress: &Progress) {
        let message = terminal::printable(progress.message.as_deref().unwrap_or(""));
        match &self.0 {
            View::Bar(bar) => {
                let template = if progress.total.is_some() { BAR } else { SPINNER };
                bar.set_style(style(template));
                bar.set_length(progress.total.unwrap_or(0));
                bar.set_position(progress.done);
                bar.set_message(message.replace('\n', " "));
            }
            View::Lines => {
                let total = progress.total.map(|total| format!("/{total}")).unwrap_or_default();
                let line = format!("progress {}{total} {message}", progress.done);
                terminal::note(line.trim_end());
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

impl Drop for ProgressView {
    fn drop(&mut self) {
        if let View::Bar(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

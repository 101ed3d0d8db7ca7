//! `waxwing check`: reads what a server would start with and tells everything that is wrong or odd about
//! it, without starting anything.

mod lint;
mod size;

use std::collections::BTreeSet;

use serde::Serialize;
use waxwing_command::Programs;
use waxwing_core::{ClientId, ServerId};
use waxwing_server::{Access, AllowRules};
use waxwing_tools::Registry;

use crate::assembly::{self, Assembly};
use crate::cli::CheckArgs;
use crate::exit::Failure;
use crate::output::{self, Reader};
use crate::table::{Canvas, Table, flowed};
use crate::terminal;

use size::ListSize;

/// All that was found.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// What keeps a server from starting, or should.
    errors: Vec<String>,
    /// What somebody should know.
    warnings: Vec<String>,
    /// How many tools there are.
    tools: usize,
    /// What `list_tools` weighs, for each client that has rules and for all others.
    lists: Vec<ListSize>,
}

pub(super) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let report = Report::of(assembly::assemble(&args.config, &Programs::new()));
    match Reader::told(args.json) {
        Reader::Person => output::print_text(&report.page(output::canvas()))?,
        Reader::Program => output::print(&report)?,
    }
    match report.errors.len() {
        0 => Ok(()),
        1 => Err(Failure::usage("one error, so a server would not start")),
        count => Err(Failure::usage(format!("{count} errors, so a server would not start"))),
    }
}

impl Report {
    fn of(made: Assembly) -> Self {
        let Assembly { config, keys, registry, rules, errors, warnings } = made;
        let mut report = Self { errors, ..Self::default() };
        if let Some(registry) = &registry {
            report.look_at_tools(registry, config.as_ref().map(|config| &config.server_id));
        }
        report.warnings.extend(warnings);
        if let (Some(registry), Some(rules)) = (&registry, &rules) {
            report.lists = size::lists(registry, rules);
            report.warnings.extend(report.lists.iter().filter_map(ListSize::warning));
        }
        if let (Some(rules), Some(keys)) = (&rules, &keys) {
            report.look_at_clients(rules, &keys.keys().iter().map(|key| &key.client_id).collect());
        }
        report
    }

    /// Rules are for clients that have a key, and where clients without rules may do nothing, every
    /// client that has a key needs one.
    fn look_at_clients(&mut self, rules: &AllowRules, known: &BTreeSet<&ClientId<'static>>) {
        let ruled: BTreeSet<_> = rules.clients().collect();
        for client in ruled.difference(known) {
            self.warnings.push(format!("there are rules for {client}, which has no key"));
        }
        if rules.others() == Access::Denied {
            for client in known.difference(&ruled) {
                self.warnings
                    .push(format!("{client} has a key and no [[allow]]: it may call nothing"));
            }
        }
    }

    fn look_at_tools(&mut self, registry: &Registry, server_id: Option<&ServerId<'_>>) {
        self.tools = registry.iter().count();
        if self.tools == 0 {
            self.warnings.push("there are no tools, so there is nothing to call".to_owned());
        }
        if let Some(server_id) = server_id {
            self.warnings.extend(lint::lint(registry, server_id.as_str()));
        }
    }

    /// What a person reads.
    fn page(&self, canvas: Canvas) -> String {
        let mut text = String::new();
        for (word, lines) in [("error: ", &self.errors), ("warning: ", &self.warnings)] {
            for line in lines {
                let line = terminal::printable(&format!("{word}{line}")).replace('\n', " ");
                let width = canvas.width.unwrap_or(usize::MAX);
                for (part, shown) in flowed(&line, width).into_iter().enumerate() {
                    text.push_str(if part == 0 { "" } else { "  " });
                    text.push_str(&shown);
                    text.push('\n');
                }
            }
        }
        if !self.lists.is_empty() {
            let mut table = Table::new(&["CLIENT", "TOOLS", "LIST BYTES", "TOKENS (ABOUT)"]);
            for list in &self.lists {
                let numbers =
                    [list.tools, list.bytes, list.tokens].map(|number| number.to_string());
                table.row(std::iter::once(list.client.clone()).chain(numbers));
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&table.render(canvas));
        }
        if self.errors.is_empty() {
            text.push_str(match self.warnings.len() {
                0 => "\nnothing is wrong\n",
                _ => "\nno errors\n",
            });
        }
        text
    }
}

//! `waxwing check`: reads what a server would start with and tells everything that is wrong or odd about
//! it, without starting anything.

mod lint;
mod size;

use std::collections::BTreeSet;

use serde::Serialize;
use waxwing_command::Programs;
use waxwing_core::ClientId;
use waxwing_server::{Access, AllowRules};
use waxwing_tools::Registry;

use crate::cli::CheckArgs;
use crate::config::keyring;
use crate::config::server::ServerConfig;
use crate::exit::{Failure, with_sources};
use crate::keyring_watch::KeyringWatch;
use crate::output::{self, Reader};
use crate::table::{Canvas, Table, flowed};
use crate::{assembly, terminal};

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
    let mut report = Report::default();
    match ServerConfig::read(&args.config) {
        Ok(config) => report.look_at(&config),
        Err(error) => report.errors.push(with_sources(&error)),
    }
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
    fn look_at(&mut self, config: &ServerConfig) {
        if let Err(failure) = KeyringWatch::open(config) {
            self.errors.push(failure.text);
        }
        let registry = assembly::registry(config, &Programs::new());
        let rules = assembly::rules(config);
        for faults in [registry.as_ref().err(), rules.as_ref().err()].into_iter().flatten() {
            self.errors.extend(faults.iter().cloned());
        }
        if let Ok(registry) = &registry {
            self.look_at_tools(registry, config);
        }
        if let (Ok(registry), Ok(rules)) = (&registry, &rules) {
            self.look_at_rules(registry, rules);
        }
        if let (Ok(rules), Ok(keys)) = (&rules, keyring::list(&config.keyring)) {
            self.look_at_clients(rules, &keys.into_iter().map(|key| key.client_id).collect());
        }
    }

    /// Rules are for clients that have a key, and where clients without rules may do nothing, every
    /// client that has a key needs one.
    fn look_at_clients(&mut self, rules: &AllowRules, known: &BTreeSet<ClientId<'static>>) {
        let ruled: BTreeSet<_> = rules.clients().cloned().collect();
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

    fn look_at_tools(&mut self, registry: &Registry, config: &ServerConfig) {
        self.tools = registry.iter().count();
        if self.tools == 0 {
            self.warnings.push("there are no tools, so there is nothing to call".to_owned());
        }
        self.warnings.extend(lint::lint(registry, config.server_id.as_str()));
    }

    fn look_at_rules(&mut self, registry: &Registry, rules: &AllowRules) {
        let review = assembly::review(rules, registry);
        self.errors.extend(review.errors);
        self.warnings.extend(review.warnings);
        self.lists = size::lists(registry, rules);
        self.warnings.extend(self.lists.iter().filter_map(ListSize::warning));
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

//! What a configuration names, put together and held against each other: the keys, the tools, and the
//! rules about who may call them. `waxwing serve` runs it, `waxwing check` tells what is wrong with it.

use std::path::Path;

use waxwing_command::{Programs, Surroundings};
use waxwing_core::ServerId;
use waxwing_server::{AllowRules, RuleFinding};
use waxwing_tools::Registry;

use crate::config::server::{ConfigFile, ServerConfig, ToolTables};
use crate::demo_tools;
use crate::exit::with_sources;
use crate::keyring_watch::KeyringWatch;

/// All that could be put together, and all that is wrong with the rest. Without errors nothing is missing.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    pub(crate) config: Option<ServerConfig>,
    pub(crate) keys: Option<KeyringWatch>,
    pub(crate) registry: Option<Registry>,
    pub(crate) rules: Option<AllowRules>,
    /// What keeps a server from starting, a line each.
    pub(crate) errors: Vec<String>,
    /// Rules that allow less than they say.
    pub(crate) warnings: Vec<String>,
}

/// Puts together what the file names. Programs that tools start are counted in `programs`.
pub(crate) fn assemble(path: &Path, programs: &Programs) -> Assembly {
    let mut made = Assembly::default();
    let file = match ConfigFile::read(path) {
        Ok(file) => file,
        Err(error) => {
            made.errors.push(with_sources(&error));
            return made;
        }
    };
    made.errors = file.faults;
    made.config = file.server;
    made.rules = file.rules;
    match file.keys.as_ref().map(KeyringWatch::open).transpose() {
        Ok(keys) => made.keys = keys,
        Err(failure) => made.errors.push(failure.text),
    }
    match registry(file.tools, programs) {
        Ok(registry) => made.registry = Some(registry),
        Err(faults) => made.errors.extend(faults),
    }
    if let (Some(rules), Some(registry)) = (&made.rules, &made.registry) {
        // A rule that holds back less than it says is nothing that a server should start with.
        let (open, closed): (Vec<_>, Vec<_>) =
            rules.review(registry).into_iter().partition(RuleFinding::is_open);
        made.errors.extend(open.iter().map(ToString::to_string));
        made.warnings.extend(closed.iter().map(ToString::to_string));
    }
    made
}

/// The tools, if each can be run.
fn registry(tables: ToolTables, programs: &Programs) -> Result<Registry, Vec<String>> {
    let ToolTables { server_id, demo, commands, folder } = tables;
    let (mut tools, mut faults) = (Registry::builder(), Vec::new());
    if demo {
        tools = demo_tools::add_to(tools);
    }
    let surroundings = Surroundings { folder, variables: std::env::vars_os().collect() };
    let mut is_whole = server_id.is_some();
    for command in commands {
        let Some(command) = command else {
            is_whole = false;
            continue;
        };
        let definition = command.definition();
        tools = tools.tool(command.into_tool(&surroundings, programs).unwrap_or_else(|wrong| {
            faults.extend(lines(&wrong));
            // What is wrong with the rest of it is told as well.
            definition
        }));
    }
    // Whose the tools are shows in their digests alone, and nobody sees those of nobody.
    let Some(server_id) = server_id.or_else(|| ServerId::new("nobody").ok()) else {
        return Err(faults);
    };
    match tools.build(&server_id) {
        Ok(registry) if is_whole && faults.is_empty() => Ok(registry),
        Ok(_) => Err(faults),
        Err(refused) => {
            faults.extend(lines(&refused));
            Err(faults)
        }
    }
}

fn lines(faults: &impl ToString) -> Vec<String> {
    faults.to_string().lines().map(str::to_owned).collect()
}

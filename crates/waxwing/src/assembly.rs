//! What a configuration names, put together and held against each other: the tools, and the rules
//! about who may call them. `waxwing serve` runs it, `waxwing check` tells what is wrong with it.

use waxwing_command::{Programs, Surroundings};
use waxwing_server::{AllowRules, RuleFinding};
use waxwing_tools::{Registry, RegistryBuilder};

use crate::config::server::ServerConfig;
use crate::config::tools::CommandTools;
use crate::{config, demo_tools};

/// The tools of a configuration.
///
/// Programs that tools start are counted in `programs`.
///
/// # Errors
/// Each tool that is refused, and why.
pub(crate) fn registry(
    config: &ServerConfig,
    programs: &Programs,
) -> Result<Registry, Vec<String>> {
    let (tools, mut faults) = tools(config, programs);
    match tools.build(&config.server_id) {
        Ok(registry) if faults.is_empty() => Ok(registry),
        Ok(_) => Err(faults),
        Err(refused) => {
            faults.extend(lines(&refused));
            Err(faults)
        }
    }
}

/// Every tool, and what is wrong with those that cannot be run.
fn tools(config: &ServerConfig, programs: &Programs) -> (RegistryBuilder, Vec<String>) {
    let mut registry = Registry::builder();
    if config.tools.demo {
        registry = demo_tools::add_to(registry);
    }
    let folder = config.folder.clone();
    let surroundings = Surroundings { folder, variables: std::env::vars_os().collect() };
    let CommandTools { tools, mut faults } =
        config::tools::read(&config.command_tools, &surroundings.folder);
    for tool in tools {
        let definition = tool.definition();
        registry = registry.tool(tool.into_tool(&surroundings, programs).unwrap_or_else(|wrong| {
            faults.extend(lines(&wrong));
            // What is wrong with the rest of it is told as well.
            definition
        }));
    }
    (registry, faults)
}

fn lines(faults: &impl ToString) -> Vec<String> {
    faults.to_string().lines().map(str::to_owned).collect()
}

/// The rules of a configuration.
///
/// # Errors
/// What is wrong with each rule that cannot hold.
pub(crate) fn rules(config: &ServerConfig) -> Result<AllowRules, Vec<String>> {
    config::authorisation::rules(&config.authorisation, &config.allow)
}

/// What is odd about rules for these tools.
#[derive(Debug, Default)]
pub(crate) struct RuleReview {
    /// A rule that holds back less than it says: nothing that a server should start with.
    pub(crate) errors: Vec<String>,
    /// A rule that allows less than it says.
    pub(crate) warnings: Vec<String>,
}

/// Holds rules against the tools they are for.
pub(crate) fn review(rules: &AllowRules, registry: &Registry) -> RuleReview {
    let (open, closed): (Vec<_>, Vec<_>) =
        rules.review(registry).into_iter().partition(RuleFinding::is_open);
    let text = |findings: Vec<RuleFinding>| findings.iter().map(ToString::to_string).collect();
    RuleReview { errors: text(open), warnings: text(closed) }
}

//! `waxwing pin`: writes down which definition of each tool was looked at, or compares.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use waxwing_core::{ToolDigest, ToolName};

use crate::cli::PinArgs;
use crate::config::client::Profile;
use crate::exit::{Exit, Failure};
use crate::{output, terminal};

pub(super) async fn run(args: PinArgs) -> Result<(), Failure> {
    let PinArgs { tools: wanted, check, profile: place } = args;
    let path = &place.profile;
    let profile = Profile::read(path)?;
    let pinned = profile.pins.clone();
    // The digests of the list are those of the definitions in it: the client has made sure.
    let listed: BTreeMap<ToolName<'static>, ToolDigest<'static>> = profile
        .into_client(path)?
        .list_tools()
        .await?
        .into_iter()
        .map(|t| (t.name, t.digest))
        .collect();
    if let Some(unknown) = wanted.iter().find(|tool| !listed.contains_key(*tool)) {
        let what = if pinned.contains_key(unknown) { "is pinned and no longer" } else { "is not" };
        return Err(Failure::new(Exit::Failed, format!("{unknown} {what} listed by the server")));
    }
    let chosen = |tool: &ToolName<'static>| wanted.is_empty() || wanted.contains(tool);
    let mut changed = Vec::new();
    let mut gone = Vec::new();
    for (tool, was) in pinned.iter().filter(|(tool, _)| chosen(tool)) {
        match listed.get(tool) {
            Some(now) if now == was => {}
            Some(now) => changed.push(json!({ "tool": tool, "was": was, "now": now })),
            None => gone.push(Value::from(tool.as_str())),
        }
    }
    if check {
        return report(&changed, &gone, &pinned);
    }
    let fresh: BTreeMap<_, _> = listed.into_iter().filter(|(tool, _)| chosen(tool)).collect();
    Profile::pin(path, &fresh)?;
    if !gone.is_empty() {
        terminal::note("tools that are pinned and no longer listed keep their pins");
    }
    output::print(&json!({ "changed": changed, "gone": gone, "pinned": fresh }))
}

fn report(
    changed: &[Value],
    gone: &[Value],
    pinned: &BTreeMap<ToolName<'static>, ToolDigest<'static>>,
) -> Result<(), Failure> {
    if changed.is_empty() && gone.is_empty() {
        return output::print(&json!({ "changed": changed, "gone": gone, "pinned": pinned }));
    }
    let mut text = "the server's tools are not those that were pinned:".to_owned();
    for change in changed {
        let (tool, was, now) = (&change["tool"], &change["was"], &change["now"]);
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (tool, was, now) = (word(tool), word(was), word(now));
        text.push_str(&format!("\n- {tool} has changed\n  pinned: {was}\n  now:    {now}"));
    }
    for tool in gone {
        text.push_str(&format!("\n- {} is gone", tool.as_str().unwrap_or_default()));
    }
    text.push_str("\nlook at the new definitions (`waxwing list`), then pin them: `waxwing pin`");
    Err(Failure::new(Exit::Failed, text))
}

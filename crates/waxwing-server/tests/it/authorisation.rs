//! Rules that allow (wire.md §5, steps 9 and 11): what a client may call, with what, and what it is
//! shown.

use serde_json::{Value, json};
use waxwing_core::message::Outcome;
use waxwing_core::{CallError, ErrorCode};
use waxwing_server::{Access, AllowRule, AllowRules, ToolPattern};

use crate::harness::House;
use crate::logs::run_log;
use crate::wire::{Caller, Wire, details, error, output};

fn rule(client: &str, tools: &[&str]) -> AllowRule {
    let tools: Vec<ToolPattern> = tools.iter().map(|tool| tool.parse().unwrap()).collect();
    AllowRule::new(client.parse().unwrap(), tools)
}

/// agent-7 may add few numbers, use what begins with `say`, and send short texts to `hold`; agent-8
/// has no rule.
fn rules() -> AllowRules {
    let few = json!({"properties": {"numbers": {"maxItems": 3, "items": {"maximum": 100}}}});
    let short = json!({"properties": {"text": {"maxLength": 4}}});
    AllowRules::new(Access::Allowed)
        .allow(rule("agent-7", &["batch_sum"]).with_args(few).unwrap())
        .allow(rule("agent-7", &["say*", "count"]))
        .allow(rule("agent-7", &["shape_later"]))
        .allow(rule("agent-7", &["hold_later"]).with_args(short).unwrap())
        .allow(rule("guest", &[]))
}

async fn house() -> House {
    House::with(|builder| builder.authorizer(rules())).await
}

async fn refused(caller: &Caller, wire: &mut Wire, tool: &str, args: Value) -> (u16, CallError) {
    let (status, outcome) = caller.call(wire, tool, args).await;
    (status, error(outcome))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_rules_may_call_what_they_allow_and_nothing_else() {
    let house = house().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    house.good().await;
    agent.start(&mut wire, "say_later", json!({"text": "hi"})).await;
    // What exists and what does not are told in the same words, so no name leaks.
    let mut texts = Vec::new();
    for tool in ["secret_tool", "no_such_thing", "batch_summ"] {
        let (status, told) = refused(&agent, &mut wire, tool, json!({})).await;
        assert_eq!((status, told.code), (403, ErrorCode::Forbidden), "{tool}");
        assert_eq!(told.details, None);
        texts.push(told.message.replace(tool, "TOOL"));
    }
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    // Within its rules a name that is no tool is just unknown, and hints stay within them too.
    let (_, told) = refused(&agent, &mut wire, "say_late", json!({"text": "hi"})).await;
    assert_eq!(told.code, ErrorCode::UnknownTool);
    assert_eq!(details(&told)["similar"], json!(["say_later"]));
    // No rule: everything. A rule that allows nothing: nothing, but for what is everybody's.
    let (other, guest) = (house.caller("agent-8"), house.caller("guest"));
    assert_eq!(output(&other.call(&mut wire, "secret_tool", json!({})).await.1), 1);
    assert_eq!(refused(&guest, &mut wire, "count", json!({})).await.1.code, ErrorCode::Forbidden);
    output(&guest.call(&mut wire, "server_identity", json!({})).await.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_rules_can_be_denied_everything() {
    let rules = AllowRules::new(Access::Denied).allow(rule("agent-7", &["*"]));
    let house = House::with(|builder| builder.authorizer(rules)).await;
    house.good().await;
    let (other, mut wire) = (house.caller("agent-8"), house.wire().await);
    let (_, told) = refused(&other, &mut wire, "batch_sum", json!({"numbers": [1]})).await;
    assert_eq!(told.code, ErrorCode::Forbidden);
    assert_eq!(listed(&other, &mut wire).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_beyond_a_rule_are_forbidden_and_everything_beyond_is_told() {
    let house = house().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let args = json!({"numbers": [1, 500, 2, 300]});
    let (status, told) = refused(&agent, &mut wire, "batch_sum", args.clone()).await;
    assert_eq!((status, told.code), (403, ErrorCode::Forbidden));
    assert!(
        told.message.starts_with(
            "You may use batch_sum, but not with these arguments, so nothing was run: 3 things to mend."
        ),
        "{}",
        told.message
    );
    let paths: Vec<Value> = details(&told)["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|violation| violation["path"].clone())
        .collect();
    assert_eq!(paths, ["/numbers", "/numbers/1", "/numbers/3"]);
    assert!(
        told.message.contains("- /numbers/1: expected a number at most 100, got the number 500."),
        "{}",
        told.message
    );
    // Another client is not narrowed.
    let other = house.caller("agent-8");
    assert_eq!(output(&other.call(&mut wire, "batch_sum", args).await.1)["total"], 803);
}

/// The tool's own schema comes first (step 11), then what the client may send.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_arguments_are_wrong_before_they_are_forbidden() {
    let house = house().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let args = json!({"numbers": [500, "2", 3, 4]});
    let (status, told) = refused(&agent, &mut wire, "batch_sum", args).await;
    assert_eq!((status, told.code), (422, ErrorCode::InvalidArgs));
    let mut request = agent.request("batch_sum", json!({"numbers": [500]}));
    request.tool_digest = Some("0".repeat(64).parse().unwrap());
    let told = error(agent.send(&mut wire, &request).await.1);
    assert_eq!(told.code, ErrorCode::ToolChanged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_and_calls_with_a_key_are_held_to_the_same_rules() {
    let house = house().await;
    let (agent, mut wire) = (house.caller("agent-7"), house.wire().await);
    let long = json!({"text": "canary-beyond"});
    let (_, told) = refused(&agent, &mut wire, "hold_later", long).await;
    assert_eq!(told.code, ErrorCode::Forbidden);
    assert_eq!(house.signals.unseen(), 0, "no job was started");

    let mut request = agent.request("batch_sum", json!({"numbers": [500]}));
    request.idempotency_key = Some("once".parse().unwrap());
    assert_eq!(error(agent.send(&mut wire, &request).await.1).code, ErrorCode::Forbidden);
    // Nothing was stored under the key.
    let mut request = agent.request("batch_sum", json!({"numbers": [5]}));
    request.idempotency_key = Some("once".parse().unwrap());
    assert_eq!(output(&agent.send(&mut wire, &request).await.1)["total"], 5);

    // A job that was allowed at its start stays its client's to the end.
    let job = agent.start(&mut wire, "hold_later", json!({"text": "ok"})).await;
    house.signals.entered().await;
    house.signals.release(1);
    assert_eq!(output(&agent.settle(&mut wire, &job).await), "ok");
    assert!(!run_log().text().contains("canary-beyond"));
}

async fn listed(caller: &Caller, wire: &mut Wire) -> Vec<String> {
    let (_, outcome) = caller.call(wire, "list_tools", json!({})).await;
    let page = output(&outcome);
    let names = page["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone());
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_shown_only_what_it_may_call() {
    let house = house().await;
    let mut wire = house.wire().await;
    let shown = listed(&house.caller("agent-7"), &mut wire).await;
    assert_eq!(shown, ["batch_sum", "count", "hold_later", "say_later", "shape_later"]);
    assert_eq!(listed(&house.caller("guest"), &mut wire).await, [""; 0]);
    let all = listed(&house.caller("agent-8"), &mut wire).await;
    assert!(all.len() > 15 && all.is_sorted());

    // A cursor is a place between names: one client's is another's, shows nothing more, and a page
    // goes on behind a tool that the client cannot see.
    let agent = house.caller("agent-7");
    for (cursor, rest) in [
        ("batch_sum", vec!["count", "hold_later", "say_later", "shape_later"]),
        ("secret_tool", vec!["shape_later"]),
        ("no_such_tool", vec!["say_later", "shape_later"]),
        ("zzz", vec![]),
    ] {
        let (_, outcome) = agent.call(&mut wire, "list_tools", json!({"cursor": cursor})).await;
        let Outcome::Ok(_) = &outcome else { panic!("{outcome:?}") };
        let page = output(&outcome);
        let names: Vec<&str> =
            page["tools"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
        assert_eq!(names, rest, "{cursor}");
        assert_eq!(page.get("next_cursor"), None);
    }
}

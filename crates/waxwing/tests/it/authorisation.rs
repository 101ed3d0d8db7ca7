//! `[authorisation]`, `[[allow]]` and `waxwing check`: who may call what, and what is wrong with it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::{Ran, Site, run, waxwing};

/// The client that `waxwing init` makes.
fn own_client(site: &Site) -> String {
    let profile = site.read("client.toml");
    let line = profile.lines().find(|line| line.starts_with("client_id = ")).unwrap();
    line.trim_start_matches("client_id = ").trim_matches('"').to_owned()
}

fn allow(site: &Site, client: &str, rest: &str) {
    site.append("waxwing.toml", &format!("\n[[allow]]\nclient = \"{client}\"\n{rest}\n"));
}

fn check(site: &Site) -> Ran {
    run(waxwing().arg("check").arg("--config").arg(site.path("waxwing.toml")))
}

fn report(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn texts(report: &Value, of: &str) -> Vec<String> {
    report[of].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_client_is_held_to_its_rules_from_the_configuration_on() {
    let site = Site::new();
    let client = own_client(&site);
    allow(
        &site,
        &client,
        "tools = [\"batch_*\"]\nargs = { properties = { numbers = { items = { maximum = 100 } } } }",
    );
    let _server = site.serve();
    assert_eq!(site.client(["call", "batch_sum", "numbers=[1,100]"]).json()["total"], 101);
    site.client(["call", "batch_sum", "numbers=[1,500]"]).fails(
        3,
        &[
            "forbidden: You may use batch_sum, but not with these arguments",
            "/numbers/1",
            "at most 100",
        ],
    );
    site.client(["call", "long_task", "seconds=1"])
        .fails(3, &["forbidden: You may not use long_task"]);
    let listed = site.client(["list"]).json();
    assert_eq!(listed["tools"].as_array().unwrap().len(), 1);
    site.client(["describe", "long_task"]).fails(5, &["sees no tool named long_task"]);
}

#[test]
fn without_a_rule_the_default_holds() {
    let site = Site::new();
    allow(&site, "somebody-else", "tools = [\"*\"]");
    {
        let _server = site.serve();
        assert!(site.client(["list"]).json()["tools"].as_array().unwrap().len() >= 2);
    }
    site.append("waxwing.toml", "\n[authorisation]\ndefault = \"deny\"\n");
    let _server = site.serve();
    assert_eq!(site.client(["list"]).json()["tools"], json!([]));
    site.client(["call", "batch_sum", "numbers=[1]"]).fails(3, &["forbidden"]);
}

#[test]
fn a_rule_that_holds_nothing_back_keeps_the_server_from_starting() {
    let site = Site::new();
    allow(
        &site,
        "a",
        "tools = [\"batch_sum\"]\nargs = { properties = { number = { maxItems = 1 } } }",
    );
    let words = "narrows \"/number\", which batch_sum does not take";
    let serve = run(waxwing().arg("serve").arg("--config").arg(site.path("waxwing.toml")));
    serve.fails(1, &[words, "did you mean \"numbers\"?"]);
    let ran = check(&site);
    assert_eq!(ran.code, 1);
    assert!(texts(&report(&ran), "errors")[0].contains(words), "{ran:?}");
}

#[test]
fn a_rule_for_no_tool_is_told_at_the_start() {
    let site = Site::new();
    allow(&site, "a", "tools = [\"bach_sum\", \"files_*\", \"poll_job\"]");
    let server = site.serve();
    server.signal("TERM");
    let said = server.ended().stderr;
    for words in [
        "warning: the rule for a names \"bach_sum\", and no tool is called so; did you mean \"batch_sum\"?",
        "warning: the rule for a names \"files_*\", and no tool is called so",
        "\"poll_job\", which every client may use anyway",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

#[test]
fn check_finds_nothing_wrong_with_a_fresh_site() {
    let site = Site::new();
    let report = check(&site).json();
    assert_eq!((&report["errors"], &report["warnings"]), (&json!([]), &json!([])));
    assert!(report["tools"].as_u64().unwrap() >= 2);
    let list = &report["lists"][0];
    assert_eq!((&list["client"], &list["tools"]), (&json!("every client"), &report["tools"]));
    let (bytes, tokens) = (list["bytes"].as_u64().unwrap(), list["tokens"].as_u64().unwrap());
    assert!(bytes > 500 && tokens == bytes.div_ceil(4), "{list}");
    // It is what the client is sent.
    let _server = site.serve();
    let sent = site.client(["list"]).stdout.len() as u64;
    assert!(sent.abs_diff(bytes) < 64, "{sent} {bytes}");
}

#[test]
fn check_tells_everything_that_is_wrong_at_once() {
    let site = Site::new();
    fs::set_permissions(site.path("keyring.toml"), Permissions::from_mode(0o644)).unwrap();
    allow(&site, "a", "tools = [\"*\"]\nargs = { maximun = 1 }");
    allow(&site, "b", "tools = [\"*\"]\nargs = { properties = { a = { pattern = \"(?=a)\" } } }");
    let ran = check(&site);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("3 errors, so a server would not start"), "{ran:?}");
    let errors = texts(&report(&ran), "errors");
    assert!(errors[0].contains("[[allow]] 1, for a: args at "), "{errors:?}");
    assert!(errors[1].contains("[[allow]] 2, for b"), "{errors:?}");
    assert!(errors[2].contains("chmod 600"), "{errors:?}");

    site.append("waxwing.toml", "unknown = 1\n");
    let errors = texts(&report(&check(&site)), "errors");
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert!(errors[2].contains("for b: unknown is no key here; the keys are "), "{errors:?}");
    run(waxwing().args(["check", "--config", "/nowhere.toml"]));
}

#[test]
fn check_weighs_the_list_of_each_client_and_knows_who_has_a_key() {
    let site = Site::new();
    let client = own_client(&site);
    allow(&site, "keyless", "tools = [\"batch_sum\"]");
    site.append("waxwing.toml", "\n[authorisation]\ndefault = \"deny\"\n");
    let report = report(&check(&site));
    let lists: Vec<(&str, u64)> = report["lists"]
        .as_array()
        .unwrap()
        .iter()
        .map(|list| (list["client"].as_str().unwrap(), list["tools"].as_u64().unwrap()))
        .collect();
    assert_eq!(lists, [("keyless", 1), ("other clients", 0)]);
    assert_eq!(
        texts(&report, "warnings"),
        [
            "there are rules for keyless, which has no key".to_owned(),
            format!("{client} has a key and no [[allow]]: it may call nothing"),
        ]
    );
}

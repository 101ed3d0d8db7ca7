//! `list` and `call` against a real server: arguments in every way that the help names.

use std::fs;

use serde_json::json;

use crate::command_tools::Shop;
use crate::support::{Site, run, run_with_input, waxwing};

#[test]
fn the_tools_are_listed_with_schemas_and_digests() {
    let site = Site::new();
    let _server = site.serve();
    let tools = site.client(["list"]).json();
    let tools = tools["tools"].as_array().unwrap();
    let modes: Vec<_> = tools.iter().map(|tool| (&tool["name"], &tool["mode"])).collect();
    let expected = [("batch_sum", "sync"), ("long_task", "job"), ("transfer", "job")]
        .map(|(a, b)| (json!(a), json!(b)));
    assert_eq!(modes, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());
    for tool in tools {
        assert_eq!(tool["digest"].as_str().unwrap().len(), 64);
        assert!(tool["input_schema"].is_object() && tool["output_schema"].is_object());
    }
}

#[test]
fn a_server_without_tools_lists_none() {
    let site = Site::new();
    site.edit("waxwing.toml", "demo = true", "demo = false");
    let _server = site.serve();
    assert_eq!(site.client(["list"]).json(), json!({"tools": []}));
    site.client(["call", "batch_sum", "numbers=[1]"]).fails(5, &["unknown_tool"]);
}

#[test]
fn arguments_in_every_way() {
    let site = Site::new();
    let _server = site.serve();
    let sum = json!({"count": 3, "total": 7});
    let object = r#"{"numbers":[1,2.5,3.5]}"#;
    let file = site.path("args.json");
    fs::write(&file, format!("\n {object} \n")).unwrap();
    let at_file = format!("@{}", file.display());
    assert_eq!(site.client(["call", "batch_sum", "numbers=[1,2.5,3.5]"]).json(), sum);
    assert_eq!(site.client(["call", "batch_sum", "--args", object]).json(), sum);
    assert_eq!(site.client(["call", "batch_sum", "--args", &at_file]).json(), sum);
    let mut from_stdin = site.command(["call", "batch_sum", "--args", "-"]);
    assert_eq!(run_with_input(&mut from_stdin, object).json(), sum);

    let both = ["call", "long_task", "seconds=0.001", "--args", r#"{"payload":{"a":1}}"#, "--wait"];
    assert_eq!(site.client(both).json(), json!({"seconds": 0.001, "payload": {"a": 1}}));
    site.client(["call", "batch_sum", "numbers=[1]", "--args", object])
        .fails(1, &["\"numbers\" is given twice"]);
    site.client(["call", "batch_sum", "numbers"]).fails(1, &["not of the form key=value"]);
    site.client(["call", "batch_sum", "--args", "[1]"]).fails(1, &["not a JSON object"]);
    site.client(["call", "batch_sum", "--args", "@/no/such/file"]).fails(1, &["/no/such/file"]);
}

#[test]
fn outputs_are_canonical_to_the_byte() {
    let site = Site::new();
    let _server = site.serve();
    let args = r#"payload={"€":"\u0041é","b":1e21,"a":[1.0,-0.0,1e-7]}"#;
    let ran = site.client(["call", "long_task", "seconds=0.001", args, "--wait"]);
    assert_eq!(
        ran.stdout,
        "{\"payload\":{\"a\":[1,0,1e-7],\"b\":1e+21,\"€\":\"Aé\"},\"seconds\":0.001}\n"
    );
}

#[test]
fn refused_arguments_name_every_violation() {
    let site = Site::new();
    let _server = site.serve();
    site.client(["call", "long_task", "seconds=99", "payload=[1]", "colour=red"]).fails(
        5,
        &["invalid_args", "/seconds", "at most 20", "/payload", "an object", "/colour", "3 things"],
    );
    site.client(["call", "batch_sum"]).fails(5, &["invalid_args", "numbers"]);
    assert_eq!(site.client(["call", "batch_sum", "numbers=[1]"]).json()["count"], 1);
}

#[test]
fn an_idempotency_key_makes_one_call_of_two() {
    let site = Site::new();
    let _server = site.serve();
    let start =
        |seconds: &str| site.client(["call", "long_task", seconds, "--idempotency-key", "order-1"]);
    let first = start("seconds=0.01").json();
    assert_eq!(start("seconds=0.01").json()["job_id"], first["job_id"]);
    start("seconds=0.02").fails(5, &["conflict"]);
    let other = site.client(["call", "long_task", "seconds=0.01"]).json();
    assert_ne!(other["job_id"], first["job_id"]);
}

#[test]
fn help_and_version_are_no_failure() {
    for args in [&["--help"][..], &["call", "--help"], &["--version"]] {
        let ran = run(waxwing().args(args));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    }
    let help = run(waxwing().args(["call", "--help"])).stdout;
    assert!(help.contains("is taken as JSON when it is JSON, and as a string otherwise"), "{help}");
    assert!(run(waxwing().arg("--help")).stdout.contains("Exit codes"));
}

/// With a key the work goes on without its caller, and a server that has waited long enough says so: the
/// command asks again until there is an outcome.
#[test]
fn a_call_with_a_key_may_take_longer_than_a_server_waits() {
    let shop = Shop::new();
    shop.tool("slow", "sh", "sleep 1; echo 7", "");
    shop.tool("too_slow", "sh", "sleep 600", "timeout_ms = 100");
    shop.site.append("waxwing.toml", "\n[jobs]\nsync_wait_ms = 50\n");
    let _server = shop.site.serve();
    assert_eq!(shop.call(&["slow", "--idempotency-key", "k"]).json(), json!(7));
    for key in [&[][..], &["--idempotency-key", "another"]] {
        shop.call(&[&["too_slow"], key].concat()).fails(5, &["timeout"]);
    }
}

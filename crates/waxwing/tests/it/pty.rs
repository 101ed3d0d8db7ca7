//! Commands at a terminal: `script` (util-linux) gives them one.

use std::ffi::OsStr;
use std::process::Command;

use crate::support::{Site, run, waxwing};

/// What a terminal of 72 columns is sent, and the exit code. `None` where there is no `script`, which the
/// test then has said.
pub(crate) fn at_terminal<S: AsRef<OsStr>>(
    site: &Site,
    env: &[(&str, &str)],
    args: impl IntoIterator<Item = S>,
) -> Option<(i32, String)> {
    let line: Vec<String> =
        args.into_iter().map(|arg| quoted(&arg.as_ref().to_string_lossy())).collect();
    let program = quoted(&waxwing().get_program().to_string_lossy());
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command"])
        .arg(format!("stty cols 72 rows 40 && exec {program} {}", line.join(" ")))
        .arg("/dev/null")
        .current_dir(site.path(""))
        .stdin(std::process::Stdio::null());
    for name in ["WAXWING_PROFILE", "WAXWING_LOG", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
        .env("TERM", "xterm")
        .env("WAXWING_PROFILE", site.path("client.toml"))
        .envs(env.to_vec());
    if Command::new("script").arg("--version").output().is_err() {
        waxwing_testkit::data::skip("commands at a terminal", "`script` of util-linux is missing");
        let in_ci = std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
        assert!(!in_ci, "with CI set nothing may be skipped");
        return None;
    }
    let ran = run(&mut command);
    Some((ran.code, ran.stdout.replace("\r\n", "\n")))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[test]
fn list_is_a_table_at_a_terminal_and_json_for_a_program() {
    let site = Site::new();
    let server = site.serve();
    let Some((code, shown)) = at_terminal(&site, &[], ["list"]) else { return };
    assert_eq!(code, 0, "{shown}");
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(
        lines[0], "\u{1b}[1mTOOL       MODE  DIGEST        DESCRIPTION\u{1b}[0m",
        "{shown:?}"
    );
    assert!(lines[1].starts_with("batch_sum  sync  ") && lines[1].ends_with("Adds numbers."));
    // The description flows within the terminal's width.
    assert!(lines[2].starts_with("long_task  job   "), "{shown}");
    assert_eq!(lines[3].trim_start(), "is.", "{shown}");
    assert!(lines.iter().all(|line| line.chars().count() <= 72 + 8), "{shown}");

    let (_, plain) = at_terminal(&site, &[("NO_COLOR", "1")], ["list"]).unwrap();
    assert_eq!(plain, shown.replace("\u{1b}[1m", "").replace("\u{1b}[0m", ""));
    let (_, dumb) = at_terminal(&site, &[("TERM", "dumb")], ["list"]).unwrap();
    assert_eq!(dumb, plain);

    let piped = site.client(["list"]).json();
    assert_eq!(piped["tools"][0]["name"], "batch_sum");
    assert!(piped["tools"][0]["input_schema"].is_object());
    let (_, asked) = at_terminal(&site, &[], ["list", "--json"]).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&asked).unwrap(), piped);
    drop(server);
}

#[test]
fn describe_tells_a_person_what_a_tool_takes() {
    let site = Site::new();
    let _server = site.serve();
    let Some((code, shown)) = at_terminal(&site, &[("NO_COLOR", "1")], ["describe", "long_task"])
    else {
        return;
    };
    assert_eq!(code, 0, "{shown}");
    for words in [
        "long_task\nWorks for a while and reports how far it is.\n",
        "mode    job\ndigest  ",
        "\narguments\nNAME     TYPE    NEEDED  LIMITS               DESCRIPTION\n",
        "seconds  number  yes     above 0, at most 20  How long to work, in\n",
        "\noutput\nNAME     TYPE    NEEDED  LIMITS",
    ] {
        assert!(shown.contains(words), "{words:?} is not in\n{shown}");
    }
    let definition = site.client(["describe", "long_task"]).json();
    let listed = site.client(["list"]).json();
    assert!(listed["tools"].as_array().unwrap().contains(&definition));
    site.client(["describe", "long_tsak"])
        .fails(5, &["no tool named long_tsak", "did you mean long_task?"]);
    site.client(["describe", "poll_job"]).fails(5, &["poll_job is part of every server"]);
}

#[test]
fn watch_shows_a_bar_at_a_terminal_and_takes_it_away() {
    let site = Site::new();
    let _server = site.serve();
    let started = site.client(["call", "long_task", "seconds=3"]).json();
    let job = started["job_id"].as_str().unwrap();
    let Some((code, shown)) = at_terminal(&site, &[], ["watch", job]) else { return };
    assert_eq!(code, 0, "{shown:?}");
    assert!(shown.contains("/10") && shown.contains('['), "a bar: {shown:?}");
    let (_, output) = shown.rsplit_once("\u{1b}[2K").unwrap();
    let output = &output[output.find('{').unwrap()..];
    assert_eq!(serde_json::from_str::<serde_json::Value>(output).unwrap()["seconds"], 3);
    // The bar itself has no colours, whatever is asked for.
    let started = site.client(["call", "long_task", "seconds=1"]).json();
    let job = started["job_id"].as_str().unwrap();
    let (_, plain) = at_terminal(&site, &[("NO_COLOR", "1")], ["watch", job]).unwrap();
    assert!(!plain.contains("\u{1b}[1m") && !plain.contains("\u{1b}[3"), "{plain:?}");
}

#[test]
fn errors_are_red_at_a_terminal_unless_somebody_minds() {
    let site = Site::new();
    site.point_to("127.0.0.1:1".parse().unwrap());
    let Some((code, shown)) = at_terminal(&site, &[], ["list"]) else { return };
    assert_eq!(code, 4, "{shown}");
    assert!(shown.starts_with("\u{1b}[1;31merror:\u{1b}[0m "), "{shown:?}");
    let (_, plain) = at_terminal(&site, &[("NO_COLOR", "1")], ["list"]).unwrap();
    assert!(plain.starts_with("error: "), "{plain:?}");
}

#[test]
fn check_is_read_by_people_too() {
    let site = Site::new();
    let Some((code, shown)) = at_terminal(&site, &[("NO_COLOR", "1")], ["check"]) else { return };
    assert_eq!(code, 0, "{shown}");
    assert!(
        shown.starts_with("CLIENT        TOOLS  LIST BYTES  TOKENS (ABOUT)\nevery client  "),
        "{shown}"
    );
    assert!(shown.ends_with("\nnothing is wrong\n"), "{shown}");
    site.append("waxwing.toml", "[[allow]]\nclient = \"me\"\ntools = [\"bach_sum\"]\n");
    let (code, shown) = at_terminal(&site, &[("NO_COLOR", "1")], ["check"]).unwrap();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("warning: the rule for me names \"bach_sum\""), "{shown}");
}

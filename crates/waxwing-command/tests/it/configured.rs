//! What is checked before a program may be a tool.

use std::path::PathBuf;

use serde_json::json;
use waxwing_command::{CommandFault, Programs};
use waxwing_core::ServerId;
use waxwing_tools::Registry;

use crate::workshop::{surroundings, tool};

#[test]
fn every_fault_is_told_at_once() {
    let mut wrong = tool(&["no-such-program", "a\0b"]);
    wrong.working_directory = PathBuf::from("nowhere");
    wrong.variables.pass.push("A=B".to_owned());
    wrong.variables.set.insert("WAXWING_TOOL".to_owned(), "canary".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let surroundings = surroundings(folder.path().to_owned());
    let faults = wrong.into_tool(&surroundings, &Programs::new()).unwrap_err();
    assert!(
        matches!(
            &faults.faults[..],
            [
                CommandFault::NotOnPath { .. },
                CommandFault::ZeroByte { index: 1 },
                CommandFault::NoFolder { .. },
                CommandFault::VariableName { .. },
                CommandFault::VariableName { .. },
            ]
        ),
        "{faults:?}"
    );
    let text = faults.to_string();
    assert!(text.lines().all(|line| line.starts_with("tool \"t\": ")), "{text}");
    assert!(!text.contains("canary"), "{text}");
    for command in [&[][..], &[""]] {
        let faults = tool(command).into_tool(&surroundings, &Programs::new()).unwrap_err();
        assert_eq!(faults.faults, [CommandFault::NoProgram]);
    }
}

#[test]
fn definitions_are_held_to_the_rules_of_every_tool() {
    let mut wrong = tool(&["sh"]);
    wrong.schemas.input = json!({"type": "string"});
    let server = ServerId::new("s").unwrap();
    let refused = Registry::builder().tool(wrong.definition()).build(&server).unwrap_err();
    let folder = tempfile::tempdir().unwrap();
    let made = wrong.into_tool(&surroundings(folder.path().to_owned()), &Programs::new()).unwrap();
    let same = Registry::builder().tool(made).build(&server).unwrap_err();
    assert_eq!(refused.to_string(), same.to_string());
    assert!(refused.to_string().contains("the input schema"), "{refused}");
}

#[tokio::test]
async fn a_program_that_is_gone_is_the_operators_to_mend() {
    let workshop = crate::workshop::Workshop::shell("echo 1");
    assert_eq!(workshop.call("{}").await.unwrap(), "1");
    std::fs::remove_dir(workshop.folder.path()).unwrap();
    let error = workshop.call("{}").await.unwrap_err().to_call_error("r");
    assert_eq!(error.message, "t could not be started. Its operator's log says why.");
    std::fs::create_dir(workshop.folder.path()).unwrap();
    assert_eq!(workshop.call("{}").await.unwrap(), "1");
}

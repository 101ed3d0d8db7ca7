//! What the compiler says to whoever writes a tool that is none: it names what is missing. The programs
//! are checked by the cargo that runs this test, in a package of their own.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A program that does not compile, and what must be said of it.
struct Case {
    name: &'static str,
    body: &'static str,
    said: &'static [&'static str],
}

const HEAD: &str = "#![allow(dead_code, unused_imports)]\n\
    use waxwing_tools::{CallContext, Tool, ToolError};\n\
    #[derive(serde::Deserialize, schemars::JsonSchema)] struct Args { n: u32 }\n\
    #[derive(serde::Serialize, schemars::JsonSchema)] struct Sum { n: u32 }\n";

const CASES: [Case; 6] = [
    Case {
        name: "no_schema",
        body: "#[derive(serde::Deserialize)] struct Bare { n: u32 }\n\
               fn main() { Tool::sync(\"a\", \"A.\", |args: Bare| async move { Ok::<_, ToolError>(args.n) }); }",
        said: &[
            "`Bare` cannot be the arguments of a tool",
            "derive both: `#[derive(serde::Deserialize, schemars::JsonSchema)]`",
        ],
    },
    Case {
        name: "no_decoding",
        body: "#[derive(schemars::JsonSchema)] struct Mute { n: u32 }\n\
               fn main() { Tool::sync(\"a\", \"A.\", |args: Mute| async move { Ok::<_, ToolError>(args.n) }); }",
        said: &["`Mute` cannot be the arguments of a tool"],
    },
    Case {
        name: "no_output",
        body: "struct Opaque;\n\
               fn main() { Tool::sync(\"a\", \"A.\", |_: Args| async move { Ok::<_, ToolError>(Opaque) }); }",
        said: &[
            "`Opaque` cannot be the output of a tool",
            "derive both: `#[derive(serde::Serialize, schemars::JsonSchema)]`",
        ],
    },
    Case {
        name: "no_result",
        body: "fn main() { Tool::sync(\"a\", \"A.\", |args: Args| async move { Sum { n: args.n } }); }",
        said: &[
            "a tool returns `Result<Output, ToolError>`, not `Sum`",
            "end the function with `Ok(output)`",
        ],
    },
    Case {
        name: "not_async",
        body: "fn main() { Tool::job(\"a\", \"A.\", |args: Args, ctx: CallContext| async move { Ok::<_, ToolError>(args.n) }); }",
        said: &[
            "this is not a tool function",
            "`|ctx: CallContext, args: Args| async move { .. }`",
        ],
    },
    Case {
        name: "other_error",
        body: "fn main() { Tool::sync(\"a\", \"A.\", |args: Args| async move { Ok::<_, std::io::Error>(args.n) }); }",
        said: &["a tool returns `Result<Output, ToolError>`, not"],
    },
];

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

#[test]
fn the_compiler_names_what_is_missing() {
    if std::env::var("WAXWING_QUICK").is_ok_and(|value| value == "1") {
        return;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile-errors");
    fs::create_dir_all(folder.join("examples")).unwrap();
    fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"compile-errors\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\nwaxwing-tools = {{ path = {here:?} }}\nschemars = \"1\"\nserde = \"1\"\n"
    );
    write(&folder, "Cargo.toml", &manifest);
    write(&folder, "src/lib.rs", "");
    // The versions of the workspace, which are on this machine.
    fs::copy(here.join("../../Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let mut good = HEAD.to_owned();
    writeln!(good, "fn main() {{ Tool::sync(\"a\", \"A.\", |args: Args| async move {{ Ok::<_, ToolError>(Sum {{ n: args.n }}) }}); }}").unwrap();
    write(&folder, "examples/good.rs", &good);
    for case in &CASES {
        write(&folder, &format!("examples/{}.rs", case.name), &format!("{HEAD}{}\n", case.body));
    }
    let check = |example: &str| {
        let ran = Command::new(env!("CARGO"))
            .args(["check", "--quiet", "--offline", "--color", "never", "--example", example])
            .current_dir(&folder)
            .env("CARGO_TARGET_DIR", folder.join("target"))
            .env_remove("RUSTFLAGS")
            .output()
            .unwrap();
        (ran.status.success(), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let (compiles, said) = check("good");
    assert!(compiles, "{said}");
    for case in &CASES {
        let (compiles, said) = check(case.name);
        assert!(!compiles, "{} compiles", case.name);
        for words in case.said {
            assert!(said.contains(words), "{}: {words:?} is not in\n{said}", case.name);
        }
    }
}

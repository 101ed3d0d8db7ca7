//! A case for each detector of Rust source that must make it fire, and one beside it that must not.

use super::{FILE_MAX, FILE_WARN, FUNCTION_MAX, check};

fn found(body: &str) -> Vec<String> {
    of("a/src/a.rs", &format!("//! What this is.\n{body}"))
}

fn of(path: &str, text: &str) -> Vec<String> {
    check(path, text).iter().map(ToString::to_string).collect()
}

fn fires(body: &str, what: &str) {
    let found = found(body);
    assert!(
        found.len() == 1 && found[0].contains(what),
        "{what:?} not alone in {found:?} for {body}"
    );
}

fn passes(body: &str) {
    assert_eq!(found(body), Vec::<String>::new(), "{body}");
}

#[test]
fn headers() {
    for text in [
        "",
        "fn main() {}\n",
        "// Not a header.\n",
        "//!\n//! Too late.\n",
        "/// Of an item.\nfn a() {}\n",
    ] {
        assert_eq!(
            of("a.rs", text),
            ["error: a.rs:1: does not begin with `//!` and what the file is"],
            "{text:?}"
        );
    }
    passes("fn main() {}\n");
}

#[test]
fn silenced_lints() {
    fires("#[allow(dead_code)]\nfn a() {}\n", "a/src/a.rs:2: a lint is silenced without a reason");
    fires("#![expect(missing_docs)]\n", "without a reason");
    fires("#[cfg_attr(unix, allow(dead_code))]\nfn a() {}\n", "without a reason");
    fires("m! { struct A { #[allow(dead_code)] a: u8 } }\n", "without a reason");
    fires("#[allow(unsafe_code, reason = \"fast\")]\nfn a() {}\n", "unsafe code is forbidden");
    passes("#[allow(dead_code, reason = \"why\")]\nfn a() { b().expect(\"c\"); }\n");
    passes("#[cfg_attr(unix, expect(dead_code, reason = \"why\"))]\nfn a() {}\n");
    passes("const A: &str = \"#[allow(dead_code)]\";\n");
}

#[test]
fn unfinished_code() {
    fires("fn a() { todo!() }\n", "`todo!`");
    fires("fn a() { unimplemented!(\"later\") }\n", "`unimplemented!`");
    fires("proptest! { fn a() { todo!() } }\n", "`todo!`");
    passes("// todo!()\nfn todo() { todo(); }\n");
}

#[test]
fn ignored_tests_and_examples() {
    fires("#[test]\n#[ignore]\nfn a() {}\n", "an ignored test");
    fires("#[test]\n#[ignore = \"slow\"]\nfn a() {}\n", "an ignored test");
    fires("#[cfg_attr(windows, ignore)]\nfn a() {}\n", "an ignored test");
    fires("/// ```ignore\n/// a\n/// ```\nfn a() {}\n", "an example that is not compiled");
    fires("//! ```rust,ignore\n//! a\n//! ```\n", "an example that is not compiled");
    passes("/// ```no_run\n/// ignore();\n/// ```\nfn a() {}\n");
    passes("/// Do not ignore this.\nfn ignore() {}\n");
}

#[test]
fn glob_re_exports() {
    fires("pub use a::*;\n", "a glob re-export");
    fires("pub(crate) use a::{b, c::*};\n", "a glob re-export");
    passes("use a::*;\npub use a::b;\npub fn c(d: *const u8) {}\n");
}

#[test]
fn long_functions() {
    let long = |lines: usize| "    a();\n".repeat(lines - 2);
    fires(&format!("fn a() {{\n{}}}\n", long(FUNCTION_MAX + 1)), "`a` has 81 lines, over 80");
    fires(
        &format!("impl A {{\nfn a() -> [u8; 4]\nwhere\nA: B {{\n{}}}\n}}\n", long(FUNCTION_MAX)),
        "`a` has",
    );
    passes(&format!("fn a() {{\n{}}}\n", long(FUNCTION_MAX)));
    passes(&format!("#[test]\nfn a() {{\n{}}}\n", long(FUNCTION_MAX + 1)));
    passes(&format!("#[cfg(test)]\nmod tests {{\nfn a() {{\n{}}}\n}}\n", long(FUNCTION_MAX + 1)));
    let all = format!("//! What this is.\nfn a() {{\n{}}}\n", long(FUNCTION_MAX + 1));
    assert_eq!(of("a/tests/it/main.rs", &all), Vec::<String>::new());
    passes("trait A { fn a(); fn b() {} }\ntype B = fn(u8) -> u8;\n");
}

#[test]
fn long_files() {
    let lines = |count: usize| "const A: u8 = 1;\n".repeat(count - 1);
    fires(&lines(FILE_MAX + 1), "error: a/src/a.rs: 601 lines without its tests, over 600");
    fires(&lines(FILE_WARN + 1), "warning: a/src/a.rs: 401 lines without its tests, over 400");
    passes(&lines(FILE_WARN));
    let tests =
        |condition: &str| format!("#[cfg({condition})]\nmod tests {{\n{}}}\n", lines(FILE_MAX));
    passes(&tests("test"));
    passes(&tests("all(test, unix)"));
    fires(&tests("not(test)"), "over 600");
    assert_eq!(
        of("a/tests/b.rs", &format!("//! What this is.\n{}", lines(FILE_MAX + 1))),
        Vec::<String>::new()
    );
}

#[test]
fn test_lines_are_counted_once() {
    let test = "#[test]\nfn a() {\n    b();\n}\n".repeat(FILE_WARN);
    let code = "const A: u8 = 1;\n".repeat(FILE_WARN + 1);
    fires(&format!("{code}#[cfg(test)]\nmod tests {{\n{test}}}\n"), "402 lines");
}

#[test]
fn what_is_no_rust() {
    fires("fn a( {\n", "cannot be read as Rust");
}

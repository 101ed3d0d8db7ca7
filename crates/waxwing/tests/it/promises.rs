//! docs/jobs.md and docs/security.md name the tests of their promises: each must be there.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// What stands between pairs of `mark` in the rows of tables.
fn marked(text: &str, mark: char) -> Vec<&str> {
    let rows = text.lines().filter(|line| line.starts_with("| "));
    rows.flat_map(|row| row.split(mark).skip(1).step_by(2)).collect()
}

#[test]
fn every_promise_of_the_guide_to_jobs_names_tests_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = fs::read_to_string(root.join("docs/jobs.md")).unwrap();
    let promises = guide.split("## How they are kept").next().unwrap();
    let mut code = String::new();
    sources(&root.join("crates"), &mut code);

    let rows = promises.lines().filter(|line| line.starts_with("| 1") || line.starts_with("| "));
    let numbered = rows.filter(|row| row[2..].starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(numbered.count(), 14, "the promises of jobs");
    let is_test = |name: &&str| name.contains('_') && !name.contains("jobs_rates");
    let tests: Vec<&str> = marked(promises, '`').into_iter().filter(is_test).collect();
    assert!(tests.len() > 30, "{}", tests.len());
    for test in tests {
        assert!(code.contains(&format!("fn {test}(")), "there is no test {test}");
    }
    let contract: Vec<&str> = marked(promises, '"');
    assert!(contract.len() > 12, "{}", contract.len());
    for promise in contract {
        assert!(code.contains(&format!("\"{promise}\" =>")), "the suite has no {promise:?}");
    }
}

/// `crate: module::test`, or `module::test`, or whole modules of a crate's tests.
#[test]
fn every_test_that_the_page_on_security_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let page = page.replace('\n', " ");
    let mut code = String::new();
    sources(&root.join("crates"), &mut code);
    let (mut tests, mut modules) = (0, 0);
    for name in page.split('`').skip(1).step_by(2) {
        let (of_crate, path) = match name.split_once(": ") {
            Some((of_crate, path)) if of_crate.starts_with("waxwing") => (Some(of_crate), path),
            _ => (None, name),
        };
        if path.contains("::") {
            let test = path.rsplit("::").next().unwrap();
            let is_there =
                ["fn {}(", "mod {};"].map(|form| code.contains(&form.replace("{}", test)));
            assert!(is_there.contains(&true), "there is no test {name}");
            tests += 1;
        } else if let Some(of_crate) = of_crate {
            let beside = root.join("crates").join(of_crate);
            let file = beside.join("tests/it").join(format!("{path}.rs"));
            assert!(file.exists(), "there are no tests {name}");
            modules += 1;
        }
    }
    assert!(tests > 30 && modules > 10, "{tests} tests, {modules} modules");
}

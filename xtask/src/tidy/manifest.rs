//! Detectors for manifests: lints and versions stand in one place, the top-level `Cargo.toml`, and
//! every dependency there is used and has its line in docs/dependencies.md.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{
    Finding,
    markdown::{code_spans, rows},
};

const PAGE: &str = "docs/dependencies.md";

/// Rivals are there to be measured, not to be built upon: this manifest names them with their
/// versions.
const RIVALS: &str = "benches/Cargo.toml";

/// Checks the top-level manifest and each member's, given as `(path, text)`.
pub(super) fn check(root: &str, members: &[(String, String)]) -> Vec<Finding> {
    let mut found = Vec::new();
    let root = parse("Cargo.toml", root, &mut found);
    let unsafe_code = path(&root, &["workspace", "lints", "rust", "unsafe_code"]);
    let level = unsafe_code.and_then(|lint| lint.get("level").or(Some(lint)));
    if level.and_then(Value::as_str) != Some("forbid") {
        found.push(Finding::error("Cargo.toml", "does not forbid `unsafe_code` to the workspace"));
    }

    let mut used = BTreeSet::new();
    for (place, text) in members {
        let manifest = parse(place, text, &mut found);
        if path(&manifest, &["lints", "workspace"]) != Some(&Value::Boolean(true)) {
            found.push(Finding::error(place, "does not take the workspace's lints"));
        }
        for (name, dependency) in dependencies(&manifest) {
            if dependency.get("workspace") == Some(&Value::Boolean(true)) {
                used.insert(name.clone());
            } else if place != RIVALS {
                let what = format!("`{name}` does not take its version from the workspace");
                found.push(Finding::error(place, what));
            }
        }
    }
    for name in declared(&root).filter(|name| !used.contains(name)) {
        found.push(Finding::error("Cargo.toml", format!("no crate uses `{name}`")));
    }
    found
}

/// Every dependency of the top-level manifest that is not ours has a line on the page, and every
/// line a dependency.
pub(super) fn check_described(root: &str, page: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let root = parse("Cargo.toml", root, &mut found);
    let declared: BTreeSet<_> =
        declared(&root).filter(|name| !name.starts_with("waxwing")).collect();
    let mut described = BTreeSet::new();
    for cells in rows(page) {
        let Some(name) = cells.first().and_then(|cell| code_spans(cell).next()) else { continue };
        described.insert(name.to_owned());
        if cells.len() != 4 || cells.iter().any(|cell| cell.is_empty()) {
            let what = format!(
                "`{name}`: say what it does, what else was looked at, and why it is well kept"
            );
            found.push(Finding::error(PAGE, what));
        }
    }
    for name in declared.difference(&described) {
        found.push(Finding::error(PAGE, format!("has no line for `{name}`")));
    }
    for name in described.difference(&declared) {
        found.push(Finding::error(
            PAGE,
            format!("has a line for `{name}`, on which nothing depends"),
        ));
    }
    found
}

fn parse(place: &str, text: &str, found: &mut Vec<Finding>) -> Table {
    text.parse().unwrap_or_else(|error: toml::de::Error| {
        found.push(Finding::error(place, error.message()));
        Table::new()
    })
}

fn path<'a>(table: &'a Table, keys: &[&str]) -> Option<&'a Value> {
    let (first, rest) = keys.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(*key))
}

fn declared(root: &Table) -> impl Iterator<Item = String> {
    let table = path(root, &["workspace", "dependencies"]).and_then(Value::as_table);
    table.into_iter().flat_map(|table| table.keys().cloned())
}

/// Every dependency of a manifest, of each kind and for each target.
fn dependencies(manifest: &Table) -> Vec<(&String, &Value)> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let scopes =
        targets.into_iter().flat_map(|targets| targets.values().filter_map(Value::as_table));
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    std::iter::once(manifest)
        .chain(scopes)
        .flat_map(|scope| kinds.map(|kind| scope.get(kind).and_then(Value::as_table)))
        .flatten()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{check, check_described};

    const ROOT: &str = "[workspace.dependencies]\nserde = \"1\"\nwaxwing-core = { path = \"x\" }\n\
        [workspace.lints.rust]\nunsafe_code = \"forbid\"\n";
    const MEMBER: &str = "[dependencies]\nserde.workspace = true\n\
        [dev-dependencies]\nwaxwing-core = { workspace = true }\n[lints]\nworkspace = true\n";
    const PAGE: &str =
        "| crate | does | else | kept |\n|---|---|---|---|\n| `serde` | a | b | c |\n";

    fn of(root: &str, member: &str) -> Vec<String> {
        let members = [("a/Cargo.toml".to_owned(), member.to_owned())];
        check(root, &members).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn sound_manifests_pass() {
        assert_eq!(of(ROOT, MEMBER), Vec::<String>::new());
        let leveled = ROOT.replace("\"forbid\"", "{ level = \"forbid\", priority = 1 }");
        assert_eq!(of(&leveled, MEMBER), Vec::<String>::new());
        assert_eq!(check_described(ROOT, PAGE), []);
    }

    #[test]
    fn lints_that_are_not_inherited() {
        let found = of(ROOT, &MEMBER.replace("[lints]\nworkspace = true\n", ""));
        assert_eq!(found, ["error: a/Cargo.toml: does not take the workspace's lints"]);
        let found = of(&ROOT.replace("forbid", "deny"), MEMBER);
        assert_eq!(found, ["error: Cargo.toml: does not forbid `unsafe_code` to the workspace"]);
    }

    #[test]
    fn versions_outside_the_workspace() {
        for own in [
            "[dependencies]\nrand = \"1\"\n",
            "[target.'cfg(unix)'.dependencies]\nrand = { version = \"1\" }\n",
        ] {
            let found = of(
                ROOT,
                &MEMBER.replace("[dependencies]\n", "[build-dependencies]\n").replacen("", own, 1),
            );
            assert_eq!(
                found,
                ["error: a/Cargo.toml: `rand` does not take its version from the workspace"]
            );
        }
    }

    #[test]
    fn rivals_have_their_own_versions() {
        let rivals = [(
            "benches/Cargo.toml".to_owned(),
            MEMBER.to_owned() + "[dependencies.rival]\nversion = \"1\"\n",
        )];
        assert_eq!(check(ROOT, &rivals), []);
    }

    #[test]
    fn dependencies_that_nobody_uses() {
        let found = of(ROOT, &MEMBER.replace("serde.workspace = true\n", ""));
        assert_eq!(found, ["error: Cargo.toml: no crate uses `serde`"]);
    }

    #[test]
    fn manifests_that_are_no_toml() {
        assert!(of(ROOT, "[")[0].starts_with("error: a/Cargo.toml: "));
    }

    #[test]
    fn lines_and_dependencies_match() {
        let found = check_described(&ROOT.replace("serde", "serde_json"), PAGE);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].what.contains("no line for `serde_json`"));
        assert!(found[1].what.contains("a line for `serde`, on which nothing depends"));
        let found = check_described(ROOT, &PAGE.replace("| c |", "|  |"));
        assert!(found[0].what.contains("say what it does"), "{found:?}");
    }
}

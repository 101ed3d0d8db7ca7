//! Detectors for the picture of crates: the manifests have exactly the edges of the table in
//! docs/architecture.md, and that page names exactly the crates there are.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Finding,
    markdown::{code_spans, rows, section},
    metadata::Metadata,
};

const PAGE: &str = "docs/architecture.md";

/// What a row of the table allows.
enum Allowed<'a> {
    Any,
    These(BTreeSet<&'a str>),
}

pub(super) fn check(page: &str, metadata: &Metadata) -> Vec<Finding> {
    let Some(text) = section(page, "Edges") else {
        return vec![Finding::error(PAGE, "has no section `Edges` with a table of crates")];
    };
    let table: BTreeMap<&str, Allowed<'_>> = rows(text)
        .filter_map(|cells| {
            let name = code_spans(cells.first()?).next()?;
            let cell = cells.get(1)?;
            let these = || Allowed::These(code_spans(cell).collect());
            Some((name, if *cell == "any" { Allowed::Any } else { these() }))
        })
        .collect();
    let members: BTreeSet<_> = metadata.members().map(|package| package.name.as_str()).collect();
    let unpublished =
        |name: &&str| matches!(table.get(name), Some(Allowed::Any)) && *name != "waxwing-testkit";

    let mut found = Vec::new();
    for package in metadata.members() {
        let name = package.name.as_str();
        let edges = |dev: bool| -> BTreeSet<&str> {
            let of_kind =
                package.dependencies.iter().filter(|d| (d.kind.as_deref() == Some("dev")) == dev);
            of_kind.map(|d| d.name.as_str()).filter(|name| members.contains(name)).collect()
        };
        for other in edges(true).iter().filter(|other| unpublished(other)) {
            found.push(Finding::error(
                name,
                format!("its tests use `{other}`, which nothing may use"),
            ));
        }
        match table.get(name) {
            None => found.push(Finding::error(name, format!("has no row in the table of {PAGE}"))),
            Some(Allowed::Any) => {}
            Some(Allowed::These(allowed)) => {
                for other in edges(false).difference(allowed) {
                    found.push(Finding::error(
                        name,
                        format!("must not depend on `{other}` ({PAGE})"),
                    ));
                }
                for other in allowed.difference(&edges(false)) {
                    let what = format!("does not depend on `{other}`, though {PAGE} says so");
                    found.push(Finding::error(name, what));
                }
            }
        }
    }
    found
}

/// Crates described but missing, crates there but not described, folders named unlike their crate.
pub(super) fn check_names(page: &str, metadata: &Metadata) -> Vec<Finding> {
    let members: BTreeSet<_> = metadata.members().map(|package| package.name.as_str()).collect();
    let crates = section(page, "Crates").unwrap_or("");
    let described: BTreeSet<_> =
        rows(crates).filter_map(|cells| code_spans(cells.first()?).next()).collect();

    let mut found = Vec::new();
    for name in members.difference(&described) {
        found.push(Finding::error(*name, format!("is not described in {PAGE}")));
    }
    let crate_like = |name: &&str| {
        name.strip_prefix("waxwing-")
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
    };
    let mentioned: BTreeSet<_> = code_spans(page).filter(crate_like).chain(described).collect();
    for name in mentioned.difference(&members) {
        found.push(Finding::error(PAGE, format!("names `{name}`, and there is no such crate")));
    }
    for package in metadata.members() {
        let path = package.manifest_in(&metadata.workspace_root);
        let folder = path.strip_prefix("crates/").and_then(|rest| rest.split('/').next());
        if folder.is_some_and(|folder| folder != package.name) {
            found.push(Finding::error(path, format!("its folder is not named `{}`", package.name)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{super::metadata::tests::workspace, Finding, check, check_names};

    const PAGE: &str = "## Crates\n\n| `a` | is |\n| `b` | is |\n| `waxwing-testkit` | is |\n| `xtask` | is |\n\n\
        ## Edges\n\n| `a` | nothing |\n| `b` | `a` |\n| `waxwing-testkit` | any |\n| `xtask` | any |\n";

    fn all(edges: [(&[&str], &[&str]); 4], page: &str) -> Vec<String> {
        let [a, b, kit, xtask] = edges;
        let metadata = workspace(&[
            ("a", a.0, a.1),
            ("b", b.0, b.1),
            ("waxwing-testkit", kit.0, kit.1),
            ("xtask", xtask.0, xtask.1),
        ]);
        let found = check(page, &metadata).into_iter().chain(check_names(page, &metadata));
        found.map(|finding: Finding| finding.to_string()).collect()
    }

    const GOOD: [(&[&str], &[&str]); 4] =
        [(&[], &["waxwing-testkit"]), (&["a", "serde"], &[]), (&["a", "b"], &[]), (&["a"], &[])];

    #[test]
    fn the_picture_holds() {
        assert_eq!(all(GOOD, PAGE), Vec::<String>::new());
    }

    #[test]
    fn edges_beyond_the_table() {
        let mut edges = GOOD;
        edges[0].0 = &["b"];
        assert_eq!(all(edges, PAGE), ["error: a: must not depend on `b` (docs/architecture.md)"]);
        edges = GOOD;
        edges[1].0 = &["a", "waxwing-testkit"];
        assert!(all(edges, PAGE)[0].contains("must not depend on `waxwing-testkit`"));
        edges = GOOD;
        edges[1].1 = &["xtask"];
        assert_eq!(all(edges, PAGE), ["error: b: its tests use `xtask`, which nothing may use"]);
    }

    #[test]
    fn edges_that_only_the_table_has() {
        let mut edges = GOOD;
        edges[1].0 = &[];
        assert!(all(edges, PAGE)[0].contains("b: does not depend on `a`, though"));
    }

    #[test]
    fn pages_that_do_not_fit() {
        let page = PAGE.replace("| `b` | is |", "");
        assert_eq!(all(GOOD, &page), ["error: b: is not described in docs/architecture.md"]);
        let page = PAGE.replace("| `b` | `a` |", "");
        assert!(all(GOOD, &page)[0].contains("b: has no row in the table"));
        let page = PAGE.to_owned() + "\nand `waxwing-ghost` too\n";
        assert!(all(GOOD, &page)[0].contains("names `waxwing-ghost`, and there is no such crate"));
        assert!(all(GOOD, "# Nothing\n")[0].contains("has no section `Edges`"));
    }

    #[test]
    fn folders_have_their_crates_names() {
        let mut metadata = workspace(&[("a", &[], &[])]);
        metadata.packages[0].manifest_path = "/top/crates/other/Cargo.toml".into();
        let found = check_names("## Crates\n| `a` | is |\n", &metadata);
        assert_eq!(
            found,
            [Finding::error("crates/other/Cargo.toml", "its folder is not named `a`")]
        );
    }
}

//! Detectors for any file: where it may lie, how its lines end, and what of a machine it must not
//! name.

use std::collections::BTreeSet;

use super::Finding;

/// All that the top level holds, dotfiles aside.
const TOP_LEVEL: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "benches",
    "crates",
    "docs",
    "xtask",
];

/// What people edit; vectors, corpora and test data are kept byte for byte.
const EDITED: [&str; 9] = ["rs", "md", "toml", "py", "mjs", "js", "sh", "sql", "run"];

/// Folders of one machine and hosts of package registries: a checkout knows neither. Spelled in two
/// parts so that this file does not name them.
const FOLDERS: [(&str, &str); 4] =
    [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/")];
const HOSTS: [(&str, &str); 7] = [
    ("index.crates", ".io"),
    ("static.crates", ".io"),
    ("registry.npmjs", ".org"),
    ("files.pythonhosted", ".org"),
    ("pypi", ".org"),
    ("deb.debian", ".org"),
    ("proxy.golang", ".org"),
];

pub(super) fn check_top_level<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<Finding> {
    let entries: BTreeSet<_> = paths.filter_map(|path| path.split('/').next()).collect();
    entries
        .into_iter()
        .filter(|entry| !entry.starts_with('.') && !TOP_LEVEL.contains(entry))
        .map(|entry| Finding::error(entry, "does not belong at the top level"))
        .collect()
}

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if path.ends_with("/mod.rs") {
        found.push(Finding::error(path, "a module `foo` is `foo.rs`, never `foo/mod.rs`"));
    }
    let extension = path.rsplit(['.', '/']).next().unwrap_or("");
    let edited = EDITED.contains(&extension);
    // The lock file names its registry by right; the source check reads it there.
    let lock = path == "Cargo.lock" || path.ends_with("/Cargo.lock");
    for (index, line) in text.lines().enumerate() {
        let place = || format!("{path}:{}", index + 1);
        if edited && line.ends_with([' ', '\t']) {
            found.push(Finding::error(place(), "white space at the end of a line"));
        }
        for (first, second) in FOLDERS.iter().chain(&HOSTS) {
            let word = [*first, *second].concat();
            if !lock && names(line, &word) {
                found
                    .push(Finding::error(place(), format!("names a place of one machine: {word}")));
            }
        }
    }
    if edited && !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        found.push(Finding::error(path, "ends in other than one line end"));
    }
    if path.starts_with(".cargo/") && text.contains("replace-with") {
        found.push(Finding::error(
            path,
            "replaces a registry: that is for one machine's own configuration",
        ));
    }
    found
}

/// Whether `line` has `word`, and not as the end of a longer path or name.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|start| start.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '*' | '}'))
    })
}

#[cfg(test)]
mod tests {
    use super::{FOLDERS, HOSTS, check, check_top_level};

    fn fires(path: &str, text: &str, what: &str) {
        let found = check(path, text);
        assert!(
            found.iter().any(|finding| finding.to_string().contains(what)),
            "{what} not in {found:?}"
        );
    }

    #[test]
    fn strangers_at_the_top_level() {
        let known = ["Cargo.toml", "crates/a/src/lib.rs", ".ci/run", "docs/wire.md", "LICENSE-MIT"];
        assert_eq!(check_top_level(known.into_iter()), []);
        let found = check_top_level(["scripts/a.sh", "scripts/b.sh", "notes.md"].into_iter());
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn clean_files_pass() {
        assert_eq!(check("a.rs", "//! A file.\n\nfn main() {}\n"), []);
        assert_eq!(check("corpus/seed", "{\"a\": 1} "), []);
        assert_eq!(check("empty.toml", ""), []);
    }

    #[test]
    fn line_ends() {
        fires("a.rs", "//! A. \n", "a.rs:1: white space");
        fires("docs/a.md", "one\ntwo\t\n", "docs/a.md:2: white space");
        fires(".ci/run", "true \n", "white space");
        fires("a.toml", "a = 1", "one line end");
        fires("a.toml", "a = 1\n\n", "one line end");
    }

    #[test]
    fn module_style() {
        fires("crates/a/src/b/mod.rs", "//! B.\n", "never `foo/mod.rs`");
    }

    #[test]
    fn places_of_one_machine() {
        for (first, second) in FOLDERS.iter().chain(&HOSTS) {
            fires("README.md", &format!("see {first}{second}x\n"), "names a place of one machine");
            assert_eq!(check("README.md", &format!("see a{first}{second}x\n")), []);
        }
        let host = HOSTS[0].0.to_owned() + HOSTS[0].1;
        assert_eq!(check("Cargo.lock", &format!("source = \"{host}\"\n")), []);
        fires(".cargo/config.toml", "[source.x]\nreplace-with = \"y\"\n", "replaces a registry");
    }
}

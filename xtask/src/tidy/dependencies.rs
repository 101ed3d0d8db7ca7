//! Detectors over the resolved graph: features that must stay off, what the pure crates must not
//! need, licences, and where packages come from.

use spdx::{Expression, ParseMode};

use super::{Finding, metadata::Metadata};

/// The one registry that packages come from.
pub(super) const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// These change how JSON objects or numbers decode, for every crate in the tree.
const JSON_FEATURES: [&str; 3] = ["arbitrary_precision", "preserve_order", "raw_value"];

/// Crates that take the clock, randomness and the network as arguments, and what would bring them
/// in.
const PURE: [&str; 2] = ["waxwing-core", "waxwing-crypto"];
const IMPURE: [&str; 8] =
    ["async-std", "getrandom", "hyper", "mio", "rand", "smol", "socket2", "tokio"];

/// Permissive licences, and the one data licence that Unicode tables come under.
const LICENCES: [&str; 11] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];

pub(super) fn check(metadata: &Metadata) -> Vec<Finding> {
    let mut found = Vec::new();
    for feature in metadata.features("serde_json").intersection(&JSON_FEATURES.into()) {
        let what = format!(
            "somebody switches on `{feature}`; `cargo tree -e features -i serde_json` says who"
        );
        found.push(Finding::error("serde_json", what));
    }
    if metadata.packages.iter().filter(|package| package.name == "serde_json").count() > 1 {
        found.push(Finding::error("serde_json", "is there in more than one version"));
    }
    for name in PURE {
        for impure in metadata.needs(name).intersection(&IMPURE.into()) {
            found.push(Finding::error(
                name,
                format!("needs `{impure}`, and may do nothing that it does"),
            ));
        }
    }
    for package in &metadata.packages {
        let place = format!("{} {}", package.name, package.version);
        match package.source.as_deref() {
            None if !package.manifest_path.starts_with(&metadata.workspace_root) => {
                found.push(Finding::error(&place, "comes from outside the repository"));
            }
            None | Some(REGISTRY) => {}
            Some(other) => found.push(Finding::error(&place, format!("comes from {other}"))),
        }
        if !licensed(package.license.as_deref().unwrap_or("")) {
            let licence =
                package.license.as_deref().unwrap_or("no licence that its manifest states");
            found.push(Finding::error(&place, format!("is under {licence}")));
        }
    }
    found
}

/// Whether an SPDX expression can be met with the licences of the list.
fn licensed(expression: &str) -> bool {
    // Lax, since older manifests write `MIT/Apache-2.0`.
    Expression::parse_mode(expression, ParseMode::LAX).is_ok_and(|expression| {
        expression.evaluate(|requirement| {
            requirement.license.id().is_some_and(|id| LICENCES.contains(&id.name))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::{super::metadata::tests::workspace, Finding, REGISTRY, check, licensed};

    #[test]
    fn a_sound_graph_passes() {
        let metadata = workspace(&[("waxwing-core", &["serde_json"], &["tokio"])]);
        assert_eq!(check(&metadata), []);
    }

    #[test]
    fn json_features() {
        for feature in ["raw_value", "arbitrary_precision", "preserve_order"] {
            let mut metadata = workspace(&[("waxwing-core", &["serde_json"], &[])]);
            let node =
                metadata.resolve.nodes.iter_mut().find(|node| node.id == "serde_json").unwrap();
            node.features.push(feature.into());
            let found = check(&metadata);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].what.contains(feature), "{found:?}");
        }
        let metadata = workspace(&[("a", &["serde_json"], &[]), ("b", &["serde_json"], &[])]);
        assert_eq!(
            check(&metadata),
            [Finding::error("serde_json", "is there in more than one version")]
        );
    }

    #[test]
    fn impure_needs() {
        let metadata =
            workspace(&[("waxwing-crypto", &["helper"], &[]), ("helper", &["tokio"], &[])]);
        let found = check(&metadata);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].to_string().starts_with("error: waxwing-crypto: needs `tokio`"));
    }

    #[test]
    fn strange_sources() {
        let mut metadata = workspace(&[("a", &["b"], &[])]);
        metadata.packages[1].source = Some("git+https://example.org/b".into());
        assert_eq!(
            check(&metadata),
            [Finding::error("b 1.0.0", "comes from git+https://example.org/b")]
        );
        metadata.packages[1].source = Some(REGISTRY.into());
        metadata.packages[0].manifest_path = "/elsewhere/a/Cargo.toml".into();
        assert_eq!(
            check(&metadata),
            [Finding::error("a 0.1.0", "comes from outside the repository")]
        );
    }

    #[test]
    fn licences() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(licensed(good), "{good}");
        }
        for bad in ["", "GPL-3.0-only", "MIT AND MPL-2.0", "LicenseRef-own", "who knows"] {
            assert!(!licensed(bad), "{bad}");
        }
        let mut metadata = workspace(&[("a", &["b"], &[])]);
        metadata.packages[1].license = None;
        let found = check(&metadata);
        assert_eq!(
            found[0].to_string(),
            "error: b 1.0.0: is under no licence that its manifest states"
        );
    }
}

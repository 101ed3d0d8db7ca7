//! What `cargo metadata` says of the workspace and of everything it resolves to, as far as tidy
//! asks.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process::{capture, cargo};

#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) packages: Vec<Package>,
    pub(super) workspace_members: Vec<String>,
    pub(super) workspace_root: String,
    pub(super) resolve: Resolve,
}

#[derive(Debug, Deserialize)]
pub(super) struct Package {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: Option<String>,
    /// `None` for a package of this repository.
    pub(super) source: Option<String>,
    pub(super) manifest_path: String,
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// `None` for a normal one, else `dev` or `build`.
    pub(super) kind: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Resolve {
    pub(super) nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) features: Vec<String>,
    pub(super) deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Edge {
    pub(super) pkg: String,
    pub(super) dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
pub(super) struct EdgeKind {
    pub(super) kind: Option<String>,
}

pub(super) fn load() -> Result<Metadata> {
    let text = capture(cargo().args(["metadata", "--format-version=1", "--locked"]))?;
    serde_json::from_str(&text).context("cargo metadata wrote something else than expected")
}

impl Package {
    /// The path of its manifest from the top level.
    pub(super) fn manifest_in(&self, root: &str) -> String {
        let path = self.manifest_path.strip_prefix(root).unwrap_or(&self.manifest_path);
        path.trim_start_matches(['/', '\\']).replace('\\', "/")
    }
}

impl Metadata {
    /// The packages of this workspace.
    pub(super) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The features that the whole workspace together switches on in each version of `name`.
    pub(super) fn features(&self, name: &str) -> BTreeSet<&str> {
        let ids: BTreeSet<_> = self
            .packages
            .iter()
            .filter(|package| package.name == name)
            .map(|package| package.id.as_str())
            .collect();
        let nodes = self.resolve.nodes.iter().filter(|node| ids.contains(node.id.as_str()));
        nodes.flat_map(|node| node.features.iter().map(String::as_str)).collect()
    }

    /// The names of all that `name` needs to run, itself included; test and build helpers are not
    /// followed.
    pub(super) fn needs(&self, name: &str) -> BTreeSet<&str> {
        let names: BTreeMap<_, _> = self
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package.name.as_str()))
            .collect();
        let nodes: BTreeMap<_, _> =
            self.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        let mut pending: Vec<&str> = self
            .members()
            .filter(|package| package.name == name)
            .map(|package| package.id.as_str())
            .collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = pending.pop() {
            if !seen.insert(id) {
                continue;
            }
            let normal = nodes.get(id).into_iter().flat_map(|node| &node.deps);
            let normal =
                normal.filter(|edge| edge.dep_kinds.iter().any(|kind| kind.kind.is_none()));
            pending.extend(normal.map(|edge| edge.pkg.as_str()));
        }
        seen.into_iter().filter_map(|id| names.get(id).copied()).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::Metadata;

    /// A workspace of these `(name, [normal dependencies], [dev dependencies])`, those unknown
    /// being foreign.
    pub(crate) fn workspace(members: &[(&str, &[&str], &[&str])]) -> Metadata {
        let foreign = |name: &&str| !members.iter().any(|(member, ..)| member == name);
        let mut packages: Vec<Value> = Vec::new();
        let mut nodes: Vec<Value> = Vec::new();
        for (name, normal, dev) in members {
            let kinds = normal
                .iter()
                .map(|n| (n, Value::Null))
                .chain(dev.iter().map(|n| (n, json!("dev"))));
            let kinds: Vec<_> = kinds.collect();
            packages.push(json!({
                "id": name, "name": name, "version": "0.1.0", "license": "MIT", "source": null,
                "manifest_path": format!("/top/crates/{name}/Cargo.toml"),
                "dependencies": kinds.iter().map(|(n, kind)| json!({"name": n, "kind": kind})).collect::<Vec<_>>(),
            }));
            let deps =
                kinds.iter().map(|(n, kind)| json!({"pkg": n, "dep_kinds": [{"kind": kind}]}));
            nodes.push(json!({"id": name, "features": [], "deps": deps.collect::<Vec<_>>()}));
            for name in normal.iter().chain(*dev).filter(|name| foreign(name)) {
                packages.push(json!({
                    "id": name, "name": name, "version": "1.0.0", "license": "MIT OR Apache-2.0",
                    "source": super::super::dependencies::REGISTRY, "manifest_path": "", "dependencies": [],
                }));
                nodes.push(json!({"id": name, "features": ["std"], "deps": []}));
            }
        }
        let ids: Vec<_> = members.iter().map(|(name, ..)| name).collect();
        serde_json::from_value(json!({
            "packages": packages, "workspace_members": ids, "workspace_root": "/top",
            "resolve": {"nodes": nodes},
        }))
        .unwrap()
    }

    #[test]
    fn needs_follow_normal_edges_only() {
        let metadata = workspace(&[("a", &["b", "serde"], &["tokio"]), ("b", &["sha2"], &[])]);
        assert_eq!(
            metadata.needs("a").into_iter().collect::<Vec<_>>(),
            ["a", "b", "serde", "sha2"]
        );
        assert_eq!(metadata.features("serde").into_iter().collect::<Vec<_>>(), ["std"]);
        let paths: Vec<_> = metadata.members().map(|package| package.manifest_in("/top")).collect();
        assert_eq!(paths, ["crates/a/Cargo.toml", "crates/b/Cargo.toml"]);
    }
}

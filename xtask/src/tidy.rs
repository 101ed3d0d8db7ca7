//! `cargo xtask tidy`, also a test: what no compiler checks. Each detector is a function over text
//! that finds what is wrong; this file only gathers the text and shows the findings.

mod dependencies;
mod edges;
mod files;
mod manifest;
mod markdown;
mod metadata;
mod source;
mod tree;

use std::fmt;

use anyhow::{Result, bail};

use crate::process::root;

/// Something that must not stay as it is, or should not.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    weight: Weight,
    /// A file, `file:line`, or the name of a crate.
    place: String,
    what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Error,
    Warning,
}

impl Finding {
    fn error(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { weight: Weight::Error, place: place.into(), what: what.into() }
    }

    fn warning(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { weight: Weight::Warning, place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.weight {
            Weight::Error => "error",
            Weight::Warning => "warning",
        };
        write!(out, "{word}: {}: {}", self.place, self.what)
    }
}

pub(crate) fn run() -> Result<()> {
    println!("{}", check()?);
    Ok(())
}

/// Prints every finding; an error if one of them is.
pub(crate) fn check() -> Result<String> {
    let files = tree::read(root())?;
    let metadata = metadata::load()?;
    let findings = findings(&files, &metadata);
    for finding in &findings {
        println!("{finding}");
    }
    let errors = findings.iter().filter(|finding| finding.weight == Weight::Error).count();
    let warnings = findings.len() - errors;
    if errors > 0 {
        bail!("{errors} errors, {warnings} warnings");
    }
    Ok(format!("{} files, {} packages, {warnings} warnings", files.len(), metadata.packages.len()))
}

fn findings(files: &[tree::File], metadata: &metadata::Metadata) -> Vec<Finding> {
    let text = |path: &str| {
        files
            .iter()
            .find(|file| file.path == path)
            .and_then(|file| file.text.as_deref())
            .unwrap_or("")
    };
    let mut found = files::check_top_level(files.iter().map(|file| file.path.as_str()));
    for file in files {
        let Some(text) = &file.text else { continue };
        found.extend(files::check(&file.path, text));
        if file.path.ends_with(".rs") {
            found.extend(source::check(&file.path, text));
        }
    }

    let architecture = text("docs/architecture.md");
    found.extend(edges::check(architecture, metadata));
    found.extend(edges::check_names(architecture, metadata));

    let members = metadata.members().map(|package| {
        let path = package.manifest_in(&metadata.workspace_root);
        let manifest = text(&path).to_owned();
        (path, manifest)
    });
    found.extend(manifest::check(text("Cargo.toml"), &members.collect::<Vec<_>>()));
    found.extend(manifest::check_described(text("Cargo.toml"), text("docs/dependencies.md")));
    found.extend(dependencies::check(metadata));
    found
}

#[cfg(test)]
mod tests {
    /// The repository itself is tidy.
    #[test]
    fn tidy() {
        if let Err(error) = super::check() {
            panic!("{error:#}; see above");
        }
    }

    #[test]
    fn findings_print_their_place_first() {
        let finding = super::Finding::error("a.rs:3", "too long");
        assert_eq!(finding.to_string(), "error: a.rs:3: too long");
        let finding = super::Finding::warning("a.rs", "long");
        assert_eq!(finding.to_string(), "warning: a.rs: long");
    }
}

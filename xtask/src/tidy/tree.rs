//! The files of the repository: what git tracks or would, and without git whatever is not built.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result};

use crate::process::program;

/// One file of the repository.
#[derive(Debug)]
pub(super) struct File {
    /// From the top level, with `/` between the parts.
    pub(super) path: String,
    /// What it says, unless that is not text.
    pub(super) text: Option<String>,
}

pub(super) fn read(root: &Path) -> Result<Vec<File>> {
    let mut paths = match git_listing() {
        Some(paths) => paths,
        None => walk(root)?,
    };
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let full = root.join(&path);
        // A file deleted but still in git's index is not there to be read.
        if !full.is_file() {
            continue;
        }
        let bytes = fs::read(&full).with_context(|| format!("cannot read {path}"))?;
        let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        files.push(File { path, text });
    }
    Ok(files)
}

/// Tracked files and new ones that no ignore rule covers; nothing where git is missing or refuses.
fn git_listing() -> Option<Vec<String>> {
    let output = program("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let listing = String::from_utf8(output.stdout).ok()?;
    let mut paths: Vec<_> =
        listing.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    paths.sort();
    paths.dedup();
    (!paths.is_empty()).then_some(paths)
}

fn walk(root: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(dir) = pending.pop() {
        let full = root.join(&dir);
        let entries =
            fs::read_dir(&full).with_context(|| format!("cannot list {}", full.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", full.display()))?;
            let path = dir.join(entry.file_name());
            if !entry.file_type()?.is_dir() {
                paths.push(path.to_string_lossy().replace('\\', "/"));
            } else if !matches!(entry.file_name().to_str(), Some(".git" | "target" | "artifacts")) {
                pending.push(path);
            }
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::{git_listing, walk};
    use crate::process::root;

    #[test]
    fn a_walk_sees_what_git_sees() {
        let listed = git_listing();
        let walked = walk(root()).unwrap();
        assert!(walked.iter().any(|path| path == "xtask/src/tidy/tree.rs"));
        assert!(
            !walked.iter().any(|path| path.starts_with("target/") || path.starts_with(".git/"))
        );
        for path in listed.into_iter().flatten() {
            let gone = !root().join(&path).exists();
            assert!(gone || walked.contains(&path), "{path}");
        }
    }
}

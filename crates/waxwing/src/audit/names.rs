//! How the files of a log are called: `audit.jsonl` grows, `audit.jsonl.1` was the first to be full,
//! `audit.jsonl.key` is the key of all.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The name of a full file.
pub(super) fn full(path: &Path, number: u64) -> PathBuf {
    with_suffix(path, &format!(".{number}"))
}

/// Where a file is written before it is one.
pub(super) fn unborn(path: &Path) -> PathBuf {
    with_suffix(path, ".new")
}

/// Where the key is, unless something else is said; `path` may be any file of the log.
pub(crate) fn default_key(path: &Path) -> PathBuf {
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    let is_full = path.extension().and_then(|text| text.to_str()).is_some_and(is_number);
    match is_full {
        true => with_suffix(&path.with_extension(""), ".key"),
        false => with_suffix(path, ".key"),
    }
}

/// The folder that a file is in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// The number of the last full file; 0 when there is none.
pub(super) fn last_full(path: &Path) -> io::Result<u64> {
    let mut last = 0;
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(0) };
    for entry in fs::read_dir(folder(path))? {
        let found = entry?.file_name();
        let number = found.to_str().and_then(|found| found.strip_prefix(name)?.strip_prefix('.'));
        last = last.max(number.and_then(|number| number.parse().ok()).unwrap_or(0));
    }
    Ok(last)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_log_has_the_same_key() {
        for name in ["/log/audit.jsonl", "/log/audit.jsonl.1", "/log/audit.jsonl.20"] {
            assert_eq!(default_key(Path::new(name)), Path::new("/log/audit.jsonl.key"));
        }
    }

    #[test]
    fn the_last_full_file_is_found_by_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        assert_eq!(last_full(&path).unwrap(), 0);
        for name in ["audit.jsonl.9", "audit.jsonl.10", "audit.jsonl.key", "audit.jsonl.x", "b.99"]
        {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(last_full(&path).unwrap(), 10);
    }
}

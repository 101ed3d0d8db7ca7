//! Published test data that is not part of the repository: where it is, and what a test says that
//! cannot find it.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
};

/// The folder that `WAXWING_DATA` names, for the test called `test`.
///
/// When the variable is unset the test must end there: `None`, and `test: why` was printed and, where
/// `WAXWING_SKIPPED` names a file, appended to it.
///
/// # Panics
/// When `WAXWING_DATA` names no folder, or the file of `WAXWING_SKIPPED` cannot be written.
#[must_use]
pub fn folder(test: &str) -> Option<PathBuf> {
    folder_of(
        test,
        env::var_os("WAXWING_DATA").map(PathBuf::from),
        env::var_os("WAXWING_SKIPPED").map(PathBuf::from),
    )
}

fn folder_of(test: &str, data: Option<PathBuf>, skipped: Option<PathBuf>) -> Option<PathBuf> {
    if let Some(data) = data {
        assert!(data.is_dir(), "WAXWING_DATA is {}, which is no folder", data.display());
        return Some(data);
    }
    say_skipped(test, "WAXWING_DATA is not set", skipped);
    None
}

/// Says that the test called `test` cannot run and why, and appends it to the file that
/// `WAXWING_SKIPPED` names.
///
/// # Panics
/// When that file cannot be written.
pub fn skip(test: &str, why: &str) {
    say_skipped(test, why, env::var_os("WAXWING_SKIPPED").map(PathBuf::from));
}

#[expect(clippy::panic, clippy::print_stderr, reason = "a test that cannot run must say so")]
fn say_skipped(test: &str, why: &str, skipped: Option<PathBuf>) {
    let line = format!("{test}: {why}");
    eprintln!("skipped {line}");
    if let Some(path) = skipped {
        let file = fs::OpenOptions::new().create(true).append(true).open(&path);
        if let Err(error) = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
        {
            panic!("cannot write {}: {error}", path.display());
        }
    }
}

/// The names and contents of the files of `folder`, by name; folders in it are left out.
///
/// # Panics
/// When the folder or a file in it cannot be read.
#[must_use]
pub fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| unreadable(folder, &error));
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.unwrap_or_else(|error| unreadable(folder, &error)))
        .filter(|entry| !entry.path().is_dir())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), file(&entry.path())))
        .collect();
    files.sort();
    files
}

/// The content of one file.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn file(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| unreadable(path, &error))
}

#[expect(clippy::panic, reason = "data that is there and cannot be read fails the test")]
fn unreadable(path: &Path, error: &std::io::Error) -> ! {
    panic!("cannot read {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_data_a_test_says_that_it_skipped() {
        let file = env::temp_dir().join(format!("waxwing-skipped-{}", std::process::id()));
        for test in ["one", "two"] {
            assert_eq!(folder_of(test, None, Some(file.clone())), None);
        }
        let said = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(said, "one: WAXWING_DATA is not set\ntwo: WAXWING_DATA is not set\n");
        assert_eq!(folder_of("three", None, None), None);
    }

    #[test]
    fn data_that_is_there_is_found() {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(folder_of("one", Some(here.clone()), None), Some(here.clone()));
        let names: Vec<String> =
            files(&here.join("src")).into_iter().map(|(name, _)| name).collect();
        assert!(names.contains(&"data.rs".to_owned()) && names.is_sorted());
    }

    #[test]
    #[should_panic(expected = "no folder")]
    fn data_that_is_missing_fails() {
        _ = folder_of("one", Some(PathBuf::from("/nowhere/at/all")), None);
    }
}

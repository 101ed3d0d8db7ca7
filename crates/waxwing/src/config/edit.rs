//! Changes a private TOML file: one editor at a time, all or nothing, comments kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;
use toml_edit::{ArrayOfTables, DocumentMut, Item};
use zeroize::Zeroizing;

use super::file::{self, ConfigError, Privacy};

/// Changes the file. `T` is what it must be read as, before and after: a change that would make a file
/// that nobody can read is not written. Two that edit at the same time wait for each other; whoever reads
/// meanwhile sees the file as it was or as it will be.
pub(super) fn edit<T: DeserializeOwned, R>(
    path: &Path,
    change: impl FnOnce(T, &mut DocumentMut) -> Result<R, ConfigError>,
) -> Result<R, ConfigError> {
    // A link stays one: what it leads to is changed.
    let real = fs::canonicalize(path).map_err(|source| file::unreadable(path, source))?;
    let file = lock(&real).map_err(|source| file::unwritable(path, source))?;
    let before = file::read_text(path, &file, Privacy::Private)?;
    let read: T = file::parse(path, &before)?;
    let syntax = |error: toml_edit::TomlError| ConfigError::value(path, error.message());
    let mut document: DocumentMut = before.parse().map_err(syntax)?;
    let made = change(read, &mut document)?;
    let after = Zeroizing::new(document.to_string());
    if *after != *before {
        let _: T = file::parse(path, &after)?;
        replace(&real, &file, &after).map_err(|source| file::unwritable(path, source))?;
    }
    Ok(made)
}

/// Writes a file that was not there before, in one piece for whoever reads it.
pub(super) fn create(path: &Path, text: &str) -> Result<(), ConfigError> {
    let write = || -> io::Result<NamedTempFile> { written(folder(path), text) };
    let made = write().map_err(|source| file::unwritable(path, source))?;
    match made.persist_noclobber(path) {
        Ok(_) => sync(folder(path)).map_err(|source| file::unwritable(path, source)),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(ConfigError::Exists { path: path.to_owned() })
        }
        Err(error) => Err(file::unwritable(path, error.error)),
    }
}

/// The tables `[[key]]`, made if there are none; `key = [{..}]` becomes them.
pub(super) fn key_tables(document: &mut DocumentMut) -> Option<&mut ArrayOfTables> {
    let item = document.entry("key").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    item.make_array_of_tables();
    item.as_array_of_tables_mut()
}

trait MakeTables {
    fn make_array_of_tables(&mut self);
}

impl MakeTables for Item {
    fn make_array_of_tables(&mut self) {
        if self.is_value() {
            *self = match std::mem::take(self).into_array_of_tables() {
                Ok(tables) => Self::ArrayOfTables(tables),
                Err(other) => other,
            };
        }
    }
}

/// The file, locked until it is dropped. Whoever waited for the lock may hold one on a file that was
/// replaced meanwhile: then it is tried again.
fn lock(path: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().read(true).open(path)?;
        file.lock()?;
        if is_at(&file, path)? {
            return Ok(file);
        }
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let (here, there) = (file.metadata()?, fs::metadata(path)?);
    Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    // An open file cannot be replaced there.
    Ok(true)
}

fn replace(path: &Path, old: &File, text: &str) -> io::Result<()> {
    let new = written(folder(path), text)?;
    keep_owner(old, new.as_file())?;
    new.persist(path).map_err(|error| error.error)?;
    sync(folder(path))
}

/// A new file, private from its first moment, on the disk; it vanishes unless it is given a name.
fn written(folder: &Path, text: &str) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(".waxwing-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// A server that runs as another user can still read what root has changed.
#[cfg(unix)]
fn keep_owner(old: &File, new: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let (was, is) = (old.metadata()?, new.metadata()?);
    if (was.uid(), was.gid()) != (is.uid(), is.gid()) {
        fchown(new, Some(was.uid()), Some(was.gid()))?;
    }
    new.set_permissions(was.permissions())
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &File) -> io::Result<()> {
    Ok(())
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes a name durable, where folders can be opened.
fn sync(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

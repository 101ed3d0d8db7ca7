//! The file that grows: takes up the chain where the last server left it, marks what a crash left behind,
//! writes durably, and begins a new file when this one is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use waxwing_core::ServerId;
use waxwing_crypto::audit::{AuditEvent, AuditKey, Chain, Leftover, Verifier};
use waxwing_server::{AuditSink, TimedEvent};

use super::AuditError;
use super::key_file::AuditKeyFile;
use super::names;
use super::reading::{LastLine, ReadFault, feed};

/// A log that this process alone writes.
#[derive(Debug)]
pub(crate) struct AuditFile {
    path: PathBuf,
    server_id: ServerId<'static>,
    rotate_bytes: u64,
    /// Holds the lock.
    _key: AuditKeyFile,
    /// `None` between two files.
    file: Option<File>,
    number: u64,
    /// Bytes that are written for good. What is behind them is no line.
    size: u64,
    is_soiled: bool,
    is_closed: bool,
    chain: Chain,
}

/// What a file was found to be.
struct Found {
    verifier: Verifier,
    size: u64,
    is_torn: bool,
}

impl AuditFile {
    /// Opens the log at `path`, or begins it.
    pub(crate) fn open(
        path: &Path,
        key_path: &Path,
        rotate_bytes: u64,
        server_id: ServerId<'static>,
    ) -> Result<(Self, AuditKey), AuditError> {
        let key_file = AuditKeyFile::claim(key_path)?;
        let key = key_file.key.clone();
        let failed = |source| AuditError::Io { path: path.to_owned(), source };
        let last_full = names::last_full(path).map_err(failed)?;
        let mut log = Self {
            path: path.to_owned(),
            server_id,
            rotate_bytes,
            _key: key_file,
            file: None,
            number: last_full,
            size: 0,
            is_soiled: false,
            is_closed: true,
            chain: Chain::new(key.clone()),
        };
        if path.symlink_metadata().is_ok() {
            log.number += 1;
            log.take_up(&key)?;
        } else if last_full > 0 {
            let full = names::full(path, last_full);
            let found = read(&full, &key)?;
            log.chain = chain_behind(&key, &found.verifier);
            log.number = log.number.max(found.verifier.file().unwrap_or(0));
        }
        log.next_file_if_closed().map_err(failed)?;
        Ok((log, key))
    }

    /// Goes on with the file that is there.
    fn take_up(&mut self, key: &AuditKey) -> Result<(), AuditError> {
        let found = read(&self.path, key)?;
        let failed = |source| AuditError::Io { path: self.path.clone(), source };
        let mut file = OpenOptions::new().append(true).open(&self.path).map_err(failed)?;
        self.chain = chain_behind(key, &found.verifier);
        self.size = found.size;
        // Those before it may have been moved away: their names are not used again.
        self.number = self.number.max(found.verifier.file().unwrap_or(0));
        self.is_closed = found.verifier.is_closed();
        let mut text = Vec::new();
        if found.is_torn {
            text.push(b'\n');
        }
        if let Some(Leftover { bytes, sha256 }) = found.verifier.leftover() {
            let mended = AuditEvent::Mended { bytes, sha256 };
            self.chain
                .append(now_ms(), &mended, &mut text)
                .map_err(io::Error::other)
                .map_err(failed)?;
        }
        file.write_all(&text).and_then(|()| file.sync_data()).map_err(failed)?;
        self.size += text.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Writes lines, all or none.
    fn put(&mut self, events: &[(i64, &AuditEvent)]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        if self.is_soiled {
            file.set_len(self.size)?;
            self.is_soiled = false;
        }
        let (mut chain, mut text) = (self.chain.clone(), Vec::new());
        for (ts_ms, event) in events {
            chain.append(*ts_ms, event, &mut text).map_err(io::Error::other)?;
        }
        if let Err(error) = file.write_all(&text).and_then(|()| file.sync_data()) {
            // What got there of it goes, now or before the next write.
            self.is_soiled = file.set_len(self.size).is_err();
            return Err(error);
        }
        self.size += text.len() as u64;
        self.chain = chain;
        Ok(())
    }

    /// Sets the full file aside and begins another. Each step can be done again.
    fn next_file_if_closed(&mut self) -> io::Result<()> {
        if !self.is_closed {
            return Ok(());
        }
        self.file = None;
        if self.path.symlink_metadata().is_ok() {
            let full = names::full(&self.path, self.number);
            if full.symlink_metadata().is_ok() {
                let text = format!("{} is in the way of the next file", full.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
            }
            fs::rename(&self.path, full)?;
        }
        let (number, unborn) = (self.number + 1, names::unborn(&self.path));
        // What a crash left of one, whosever mode it has.
        match fs::remove_file(&unborn) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&unborn)?;
        let (mut chain, mut text) = (self.chain.clone(), Vec::new());
        let head = AuditEvent::Head { file: number, server_id: self.server_id.clone() };
        chain.append(now_ms(), &head, &mut text).map_err(io::Error::other)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&unborn, &self.path)?;
        File::open(names::folder(&self.path))?.sync_all()?;
        self.file = Some(OpenOptions::new().append(true).open(&self.path)?);
        (self.number, self.size, self.chain) = (number, text.len() as u64, chain);
        self.is_closed = false;
        Ok(())
    }
}

impl AuditFile {
    /// Whether the file that is open is still the one of its name: what went into one that was deleted
    /// would be lost without a word.
    fn whereabouts(&self) -> io::Result<Whereabouts> {
        let Some(file) = &self.file else { return Ok(Whereabouts::InPlace) };
        match fs::metadata(&self.path) {
            Ok(there) if is_same(&file.metadata()?, &there) => Ok(Whereabouts::InPlace),
            Ok(_) => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{} is another file now, which no server wrote", self.path.display()),
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Whereabouts::Gone),
            Err(error) => Err(error),
        }
    }
}

/// Where the file is that is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whereabouts {
    InPlace,
    /// Somebody has moved it away, or deleted it.
    Gone,
}

#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    // An open file cannot be replaced there.
    true
}

impl AuditSink for AuditFile {
    fn append(&mut self, events: &[TimedEvent]) -> io::Result<()> {
        if !self.is_closed && self.whereabouts()? == Whereabouts::Gone {
            tracing::warn!(
                file = %self.path.display(),
                "the audit log was moved away or deleted; it goes on in a new file"
            );
            self.is_closed = true;
        }
        if self.size >= self.rotate_bytes && !self.is_closed {
            self.put(&[(now_ms(), &AuditEvent::Foot)])?;
            self.is_closed = true;
        }
        self.next_file_if_closed()?;
        let lines: Vec<_> = events.iter().map(|timed| (timed.ts_ms, &timed.event)).collect();
        self.put(&lines)
    }
}

fn read(path: &Path, key: &AuditKey) -> Result<Found, AuditError> {
    let mut verifier = Verifier::new(Some(key.clone()));
    match feed(&mut verifier, path, LastLine::Ended) {
        Ok(end) => Ok(Found { verifier, size: end.bytes, is_torn: end.is_torn }),
        Err(ReadFault::Io(source)) => Err(AuditError::Io { path: path.to_owned(), source }),
        Err(ReadFault::Here(fault) | ReadFault::Before(fault)) => {
            Err(AuditError::Changed { path: path.to_owned(), fault })
        }
    }
}

fn chain_behind(key: &AuditKey, verifier: &Verifier) -> Chain {
    match verifier.tip() {
        Some(tip) => Chain::behind(key.clone(), tip.clone()),
        None => Chain::new(key.clone()),
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests;

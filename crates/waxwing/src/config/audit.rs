//! `[audit]`: where the audit log is, and what becomes of calls when its disk is slow.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use waxwing_server::{AuditOptions, WhenSlow};

use super::fields::Fields;
use crate::audit::default_key;

/// Bytes after which a file is full: 64 MiB, some 100,000 calls.
const ROTATE_BYTES: u64 = 64 << 20;

/// Where the log is, and how it is written.
#[derive(Debug)]
pub(crate) struct AuditConfig {
    pub(crate) file: PathBuf,
    pub(crate) key: PathBuf,
    /// How large a file gets.
    pub(crate) rotate_bytes: u64,
    /// What becomes of calls.
    pub(crate) options: AuditOptions,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Slow {
    Wait,
    Refuse,
}

impl AuditConfig {
    /// Reads the table. Paths in it are relative to `folder`.
    pub(super) fn read(table: &mut Fields<'_>, folder: &Path) -> Option<Self> {
        let file = table.required::<PathBuf>("file").map(|file| folder.join(file));
        let key = table.take::<PathBuf>("key").map(|key| folder.join(key));
        let mut options = AuditOptions::DEFAULT;
        options.when_slow = match table.take("when_slow") {
            None | Some(Slow::Wait) => WhenSlow::Wait,
            Some(Slow::Refuse) => WhenSlow::Refuse,
        };
        options.slow_after = table.millis("slow_ms", 1, 3_600_000).unwrap_or(options.slow_after);
        let rotate_bytes = table.within("rotate_bytes", 4096, 1 << 40).unwrap_or(ROTATE_BYTES);
        let file = file?;
        let key = key.unwrap_or_else(|| default_key(&file));
        Some(Self { file, key, rotate_bytes, options })
    }
}

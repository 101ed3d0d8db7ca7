//! `[audit]`: where the audit log is, and what becomes of calls when its disk is slow.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use waxwing_server::{AuditOptions, WhenSlow};

use super::server::within;
use crate::audit::default_key;

/// Bytes after which a file is full: 64 MiB, some 100,000 calls.
const ROTATE_BYTES: u64 = 64 << 20;

/// The table. Paths in it are relative to the configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditTable {
    pub(crate) file: PathBuf,
    key: Option<PathBuf>,
    #[serde(default)]
    when_slow: Slow,
    slow_ms: Option<u64>,
    rotate_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Slow {
    #[default]
    Wait,
    Refuse,
}

impl AuditTable {
    /// The bounds of its values.
    pub(crate) fn check(&self) -> Result<(), String> {
        within("audit.slow_ms", self.slow_ms, 1, 3_600_000)?;
        within("audit.rotate_bytes", self.rotate_bytes, 4096, 1 << 40)
    }

    /// Resolves its paths.
    pub(crate) fn within_folder(self, folder: &Path) -> Self {
        let (file, key) = (folder.join(&self.file), self.key.map(|key| folder.join(key)));
        Self { file, key, ..self }
    }

    /// Where its key is.
    pub(crate) fn key(&self) -> PathBuf {
        self.key.clone().unwrap_or_else(|| default_key(&self.file))
    }

    /// How large a file gets.
    pub(crate) fn rotate_bytes(&self) -> u64 {
        self.rotate_bytes.unwrap_or(ROTATE_BYTES)
    }

    /// What becomes of calls.
    pub(crate) fn options(&self) -> AuditOptions {
        let mut options = AuditOptions::DEFAULT;
        options.when_slow = match self.when_slow {
            Slow::Wait => WhenSlow::Wait,
            Slow::Refuse => WhenSlow::Refuse,
        };
        options.slow_after = self.slow_ms.map_or(options.slow_after, Duration::from_millis);
        options
    }
}

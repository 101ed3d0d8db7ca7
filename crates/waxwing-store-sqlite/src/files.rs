//! The file: where it may be, and who may read it.

use std::fs::OpenOptions;
use std::path::Path;

use waxwing_jobs::StoreError;

/// Makes the file if there is none, readable by its owner alone, and refuses one that others may
/// read or write: it holds what clients sent and got.
pub(crate) fn prepare(path: &Path) -> Result<(), StoreError> {
    let refuse = |why: String| StoreError::Misconfigured(format!("{}: {why}", path.display()));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| refuse(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| refuse(error.to_string()))?;
    if !metadata.is_file() {
        return Err(refuse("is not a file".to_owned()));
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&metadata) & 0o777;
        if mode & 0o077 != 0 {
            let mend = "others may read or write it, but it holds what clients sent; chmod 600";
            return Err(refuse(format!("mode {mode:04o}: {mend}")));
        }
    }
    Ok(())
}

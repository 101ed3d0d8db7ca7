//! Where a program is looked for: the folder that paths start from and the server's environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::fault::CommandFault;

/// What a command tool finds around itself when it is configured.
#[derive(Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "relative paths and names of variables: nothing else"
)]
pub struct Surroundings {
    /// The absolute folder that relative paths start from.
    pub folder: PathBuf,
    /// The server's environment.
    pub variables: BTreeMap<OsString, OsString>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The values may be secrets.
        f.debug_struct("Surroundings").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Surroundings {
    /// The file of a program: a path when there is a `/` in it, else the first of that name on
    /// `PATH`. It exists and may be executed.
    pub(crate) fn find(&self, program: &str) -> Result<PathBuf, CommandFault> {
        if program.contains('/') {
            let path = self.folder.join(program);
            return match executable(&path) {
                Ok(()) => Ok(path),
                Err(why) => Err(CommandFault::NotExecutable { path, why }),
            };
        }
        let path = self.variables.get(&OsString::from("PATH")).cloned().unwrap_or_default();
        std::env::split_paths(&path)
            .map(|folder| self.folder.join(folder).join(program))
            .find(|path| executable(path).is_ok())
            .ok_or_else(|| {
                let beside = self.folder.join(program).is_file();
                let hint = if beside { format!(": write \"./{program}\"") } else { String::new() };
                CommandFault::NotOnPath { program: program.to_owned(), hint }
            })
    }
}

fn executable(path: &Path) -> Result<(), String> {
    let metadata = path.metadata().map_err(|error| format!("cannot be used: {error}"))?;
    if !metadata.is_file() {
        return Err("is no file".to_owned());
    }
    access(path, Access::EXEC_OK).map_err(|_| "may not be executed (chmod +x)".to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn programs_are_paths_or_names_on_path() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, mode| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (tool, plain) = (put("bin/tool", 0o755), put("bin/plain", 0o644));
        put("beside", 0o755);
        let surroundings = Surroundings {
            folder: folder.path().to_owned(),
            variables: [("PATH".into(), "/nowhere:bin".into())].into(),
        };
        let find = |program| surroundings.find(program);
        assert_eq!(find("tool").unwrap(), tool);
        assert_eq!(find("bin/tool").unwrap(), tool);
        assert_eq!(find(tool.to_str().unwrap()).unwrap(), tool);
        for (program, words) in [
            ("bin/plain", "may not be executed"),
            (plain.to_str().unwrap(), "may not be executed"),
            ("plain", "is not on PATH"),
            ("./missing", "cannot be used"),
            ("./bin", "is no file"),
            ("beside", "write \"./beside\""),
        ] {
            let fault = find(program).unwrap_err().to_string();
            assert!(fault.contains(words), "{program}: {fault}");
        }
    }
}

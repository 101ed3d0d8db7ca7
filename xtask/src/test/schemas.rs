//! The JSON-Schema-Test-Suite, which the tests of schemas run through our own check. The sources of
//! Python's `jsonschema` carry all of it, as no package of the other registries does; they are fetched
//! once, in one version, by their checksum.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::packages;
use crate::process::{program, run, scratch, works};

const VERSION: &str = "4.26.0";
const SHA256: &str = "0c26707e2efad8aa1bfc5b7ce170f3fccc2e4918ff85989ba9ffa9facb2be326";
/// What must be in it.
const CASES: &str = "tests/draft2020-12";

/// The suite's folder: where `WAXWING_SCHEMA_SUITE` says, else where it was or is now fetched to.
pub(super) fn folder() -> Result<PathBuf> {
    if let Some(said) = env::var_os("WAXWING_SCHEMA_SUITE").filter(|said| !said.is_empty()) {
        let folder = PathBuf::from(said);
        if !folder.join(CASES).is_dir() {
            bail!("WAXWING_SCHEMA_SUITE is {}, which has no {CASES}", folder.display());
        }
        return Ok(folder);
    }
    let place = scratch()?.join(format!("jsonschema-{VERSION}"));
    let folder = place.join("json");
    if !folder.join(CASES).is_dir() {
        let unpacked = fetch()?;
        // In one step, so that a fetch that was cut off leaves nothing that looks whole.
        let _ = fs::remove_dir_all(&place);
        fs::rename(&unpacked, &place).with_context(|| {
            format!("cannot move {} to {}", unpacked.display(), place.display())
        })?;
    }
    if !folder.join(CASES).is_dir() {
        bail!("jsonschema {VERSION} carries no {CASES}");
    }
    Ok(folder)
}

/// Fetches and unpacks the sources; gives back where.
fn fetch() -> Result<PathBuf> {
    if !works(program("python3").args(["-m", "pip", "--version"])) {
        packages::install("python3-pip").context("the JSON-Schema-Test-Suite comes with pip")?;
    }
    let place = scratch()?.join("jsonschema-fetch");
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
    let wanted = place.join("wanted.txt");
    fs::write(&wanted, requirement())
        .with_context(|| format!("cannot write {}", wanted.display()))?;
    // Hashes are required of the file named, not of what pip needs to look into it.
    let mut pip = program("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check"])
        .args(["--require-hashes", "--no-deps", "--no-binary", "jsonschema"])
        .arg("--requirement")
        .arg(&wanted)
        .arg("--dest")
        .arg(&place);
    run(&mut pip).context("the JSON-Schema-Test-Suite could not be fetched")?;
    let name = format!("jsonschema-{VERSION}");
    unpack(&place.join(format!("{name}.tar.gz")), &place)?;
    Ok(place.join(name))
}

fn unpack(archive: &Path, place: &Path) -> Result<()> {
    run(program("tar").arg("xzf").arg(archive).arg("-C").arg(place))
}

fn requirement() -> String {
    format!("jsonschema=={VERSION} --hash=sha256:{SHA256}\n")
}

#[cfg(test)]
mod tests {
    use super::requirement;

    #[test]
    fn one_version_is_wanted_by_its_checksum() {
        let text = requirement();
        let (version, hash) = text.trim_end().split_once(" --hash=sha256:").unwrap();
        assert!(version.starts_with("jsonschema==4."), "{version}");
        assert!(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{hash}");
    }
}

//! The files of docs/vectors: written by this project's own code, and checked by the programs in
//! docs/clients, which share nothing with it.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::process::{cargo, program, root, run as run_command, scratch};

/// What to do with files that are not what is generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stale {
    Refuse,
    Replace,
}

pub(super) fn run(stale: Stale) -> Result<()> {
    let made = scratch()?.join("vectors/files");
    if made.exists() {
        fs::remove_dir_all(&made).with_context(|| format!("cannot empty {}", made.display()))?;
    }
    fs::create_dir_all(&made).with_context(|| format!("cannot create {}", made.display()))?;
    let mut generator = cargo();
    generator.args(["run", "--quiet", "--locked", "--package", "xtask", "--example", "vectors"]);
    run_command(generator.arg("--").arg(&made))?;

    let kept = root().join("docs/vectors");
    let changes = settle(&read(&made)?, &kept, stale)?;
    println!("{changes} files of docs/vectors changed");
    for (name, script) in [("Python", "check_vectors.py"), ("Node", "check_vectors.mjs")] {
        println!("{name}:");
        let interpreter = if name == "Python" { "python3" } else { "node" };
        let script = root().join("docs/clients").join(script);
        run_command(program(interpreter).arg(script).arg(&kept))
            .with_context(|| format!("{name} judges the vectors otherwise, or is missing"))?;
    }
    Ok(())
}

/// Names and bytes of the vector files in a folder.
fn read(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            files.insert(name, bytes);
        }
    }
    Ok(files)
}

/// Makes the files in `folder` those of `made`, or refuses to; says how many were others.
fn settle(made: &BTreeMap<String, Vec<u8>>, folder: &Path, stale: Stale) -> Result<usize> {
    let kept = read(folder)?;
    let names = made.keys().chain(kept.keys().filter(|name| !made.contains_key(*name)));
    let changed: Vec<_> = names.filter(|name| made.get(*name) != kept.get(*name)).collect();
    if stale == Stale::Refuse && !changed.is_empty() {
        bail!(
            "not what is generated: {changed:?}; mend it with `cargo xtask vectors --only files`"
        );
    }
    for name in &changed {
        let path = folder.join(name);
        match made.get(*name) {
            Some(bytes) => fs::write(&path, bytes),
            None => fs::remove_file(&path),
        }
        .with_context(|| format!("cannot change {}", path.display()))?;
    }
    Ok(changed.len())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::{Stale, read, settle};
    use crate::process::scratch;

    #[test]
    fn stale_files_are_refused_or_replaced() {
        let folder = scratch().unwrap().join("settle");
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in [("same.json", "1"), ("other.json", "1"), ("gone.json", "1")] {
            fs::write(folder.join(name), text).unwrap();
        }
        fs::write(folder.join("README.md"), "stays").unwrap();
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        let made: BTreeMap<_, _> =
            [file("same.json", "1"), file("other.json", "2"), file("new.json", "3")].into();

        let refused = settle(&made, &folder, Stale::Refuse).unwrap_err().to_string();
        assert!(refused.contains(r#"["new.json", "other.json", "gone.json"]"#), "{refused}");
        assert_eq!(settle(&made, &folder, Stale::Replace).unwrap(), 3);
        assert_eq!(read(&folder).unwrap(), made);
        assert_eq!(settle(&made, &folder, Stale::Refuse).unwrap(), 0);
        assert!(folder.join("README.md").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}

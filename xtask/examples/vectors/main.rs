//! Writes the files of docs/vectors with this project's own code, for `cargo xtask vectors`. Each case
//! states the verdict it expects; one that is judged otherwise ends the program.

mod json;
mod keys;
mod replies;
mod requests;
mod tamperings;
mod vector;
mod world;

use std::{env, error::Error, fs, path::Path};

use vector::File;
use world::World;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1).ok_or("usage: vectors FOLDER")?;
    for (name, text) in files()? {
        fs::write(Path::new(&folder).join(name), text)?;
    }
    Ok(())
}

/// Name and text of each file.
fn files() -> Result<Vec<(&'static str, String)>, Box<dyn Error>> {
    let world = World::new()?;
    let files = [
        ("json.json", json::file()?),
        ("keys.json", keys::file()?),
        ("requests.json", requests::file(&world)?),
        ("replies.json", replies::file(&world)?),
        ("refusals.json", replies::refusals(&world)?),
        ("tamperings.json", tamperings::file(&world)?),
    ];
    files.into_iter().map(|(name, file)| Ok((name, File::to_text(&file)?))).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs, path::Path};

    use super::files;

    #[test]
    fn the_files_are_what_is_generated() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/vectors");
        let mut there = BTreeMap::new();
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                there.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
        for (name, text) in files().unwrap() {
            let found = there.remove(name);
            assert!(
                found == Some(text),
                "{name} differs; mend it with `cargo xtask vectors --only files`"
            );
        }
        assert!(there.is_empty(), "nothing generates {:?}", there.keys());
    }
}

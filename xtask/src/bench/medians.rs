//! What criterion measured, read from the JSON that it leaves under target/criterion.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, de::DeserializeOwned};

use crate::process::root;

/// A bench: its group, and within it `function/parameter` or whichever of the two there is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BenchId {
    pub(super) group: String,
    pub(super) id: String,
}

impl BenchId {
    pub(super) fn new(group: &str, id: &str) -> Self {
        Self { group: group.to_owned(), id: id.to_owned() }
    }
}

/// The median time of each bench, in nanoseconds.
pub(super) struct Medians(BTreeMap<BenchId, f64>);

impl Medians {
    pub(super) fn get(&self, id: &BenchId) -> Option<f64> {
        self.0.get(id).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&BenchId, f64)> {
        self.0.iter().map(|(id, nanos)| (id, *nanos))
    }
}

impl FromIterator<(BenchId, f64)> for Medians {
    fn from_iter<I: IntoIterator<Item = (BenchId, f64)>>(medians: I) -> Self {
        Self(medians.into_iter().collect())
    }
}

#[derive(Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

/// Where criterion writes.
pub(super) fn folder() -> PathBuf {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("criterion")
}

pub(super) fn forget(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

pub(super) fn read(folder: &Path) -> Result<Medians> {
    let mut medians = BTreeMap::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(dir) = pending.pop() {
        let entries =
            fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.ends_with("new") {
                let bench: Benchmark = json(&path.join("benchmark.json"))?;
                let estimates: Estimates = json(&path.join("estimates.json"))?;
                let parts = [bench.function_id, bench.value_str].into_iter().flatten();
                let id = parts.collect::<Vec<_>>().join("/");
                medians
                    .insert(BenchId { group: bench.group_id, id }, estimates.median.point_estimate);
            } else if path.is_dir() {
                pending.push(path);
            }
        }
    }
    if medians.is_empty() {
        bail!("no bench left its figures under {}", folder.display());
    }
    Ok(Medians(medians))
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} is not as criterion writes it", path.display()))
}

/// Every median as a Markdown table, which also reads well on a terminal.
pub(super) fn table(medians: &Medians) -> String {
    let rows = medians.iter().map(|(id, nanos)| [id.group.clone(), id.id.clone(), duration(nanos)]);
    super::report::markdown(["group", "bench", "median"], &rows.collect::<Vec<_>>())
}

/// Three or four digits and the unit that suits them.
pub(super) fn duration(nanos: f64) -> String {
    let (value, unit) = match nanos {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "us"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{BenchId, duration, forget, read, table};
    use crate::process::scratch;

    #[test]
    fn medians_are_read_wherever_criterion_nests_them() {
        let folder = scratch().unwrap().join("medians-test");
        forget(&folder).unwrap();
        for (dir, id, nanos) in [
            ("verify/waxwing/300", r#""function_id":"waxwing","value_str":"300""#, 640.0),
            ("verify/report", "", 0.0),
            ("call", r#""function_id":null,"value_str":null"#, 2_500_000.0),
        ] {
            let new = folder.join(dir).join("new");
            if id.is_empty() {
                fs::create_dir_all(folder.join(dir)).unwrap();
                continue;
            }
            fs::create_dir_all(&new).unwrap();
            let group = dir.split('/').next().unwrap();
            fs::write(new.join("benchmark.json"), format!(r#"{{"group_id":"{group}",{id}}}"#))
                .unwrap();
            let median = format!(r#"{{"median":{{"point_estimate":{nanos}}},"mean":{{}}}}"#);
            fs::write(new.join("estimates.json"), median).unwrap();
        }
        let medians = read(&folder).unwrap();
        assert_eq!(medians.get(&BenchId::new("verify", "waxwing/300")), Some(640.0));
        assert_eq!(medians.get(&BenchId::new("call", "")), Some(2_500_000.0));
        assert!(
            table(&medians).contains("| verify | waxwing/300 | 640 ns  |"),
            "{}",
            table(&medians)
        );

        fs::write(folder.join("call/new/estimates.json"), "{}").unwrap();
        assert!(read(&folder).err().unwrap().to_string().contains("not as criterion writes it"));
        forget(&folder).unwrap();
        assert!(read(&folder).is_err());
    }

    #[test]
    fn durations_have_three_digits() {
        let shown = [1.234, 56.78, 999.0, 1_234.0, 5e7, 2.5e9].map(duration);
        assert_eq!(shown, ["1.23 ns", "56.8 ns", "999 ns", "1.23 us", "50.0 ms", "2.50 s"]);
    }
}

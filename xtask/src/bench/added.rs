//! The times that the project promises to add at most: differences between two benches of one run.

use super::{
    medians::{BenchId, Medians, duration},
    report::markdown,
};

/// One promise: the median of `ours` is at most `at_most_ns` above that of `base`.
pub(super) struct Cell {
    pub(super) name: &'static str,
    /// Group and bench, as the table of medians shows them.
    pub(super) ours: (&'static str, &'static str),
    pub(super) base: (&'static str, &'static str),
    pub(super) at_most_ns: f64,
}

/// Every promise, in the order in which it is reported.
pub(super) const CELLS: &[Cell] = &[Cell {
    name: "checking arguments of 300 B, above decoding them with serde_json",
    ours: ("args/300B", "waxwing"),
    base: ("args/300B", "serde_json"),
    at_most_ns: 3_000.0,
}];

/// The promises whose benches have run, as a Markdown table; empty when none has.
pub(super) fn table(cells: &[Cell], medians: &Medians) -> String {
    let median = |(group, id)| medians.get(&BenchId::new(group, id));
    let rows: Vec<_> = cells
        .iter()
        .filter_map(|cell| {
            let added = median(cell.ours)? - median(cell.base)?;
            let kept = if added <= cell.at_most_ns { "yes" } else { "NO" };
            let added = if added < 0.0 { "nothing".to_owned() } else { duration(added) };
            Some([cell.name.to_owned(), added, duration(cell.at_most_ns), kept.to_owned()])
        })
        .collect();
    match rows.as_slice() {
        [] => String::new(),
        rows => markdown(["what", "adds", "promised", "kept"], rows),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Medians, table};
    use crate::bench::medians::BenchId;

    #[test]
    fn promises_are_kept_or_missed_and_those_not_measured_are_left_out() {
        let cell =
            |name, ours| Cell { name, ours: ("g", ours), base: ("g", "base"), at_most_ns: 3_000.0 };
        let medians: Medians =
            [("base", 500.0), ("good", 3_400.0), ("slow", 3_600.0), ("fast", 1.0)]
                .map(|(id, nanos)| (BenchId::new("g", id), nanos))
                .into_iter()
                .collect();
        let cells = [cell("a", "good"), cell("b", "slow"), cell("c", "fast"), cell("d", "gone")];
        let table = table(&cells, &medians);
        for line in [
            "| a    | 2.90 us | 3.00 us  | yes  |",
            "| b    | 3.10 us | 3.00 us  | NO   |",
            "| c    | nothing | ",
        ] {
            assert!(table.contains(line), "{line} not in\n{table}");
        }
        assert!(!table.contains("| d"), "{table}");
        assert_eq!(super::table(&cells[3..], &medians), "");
    }
}

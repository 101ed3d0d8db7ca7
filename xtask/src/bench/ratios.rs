//! The ratios that the project promises, each between two benches of one run: ours and a rival.

use super::{
    medians::{BenchId, Medians},
    report::markdown,
};

/// One promise: the median of `ours` is at most `at_most` times that of `rival`. A promise to be
/// twelve times faster is `1.0 / 12.0`.
pub(super) struct Cell {
    pub(super) name: &'static str,
    /// Group and bench, as the table of medians shows them.
    pub(super) ours: (&'static str, &'static str),
    pub(super) rival: (&'static str, &'static str),
    pub(super) at_most: f64,
}

/// Every promise, in the order in which it is reported.
pub(super) const CELLS: &[Cell] = &[
    Cell {
        name: "verify 300B / HMAC",
        ours: ("verify/300B", "waxwing"),
        rival: ("verify/300B", "hmac"),
        at_most: 1.8,
    },
    Cell {
        name: "verify 4KB-decimals / HMAC",
        ours: ("verify/4KB-decimals", "waxwing"),
        rival: ("verify/4KB-decimals", "hmac"),
        at_most: 2.5,
    },
    Cell {
        name: "verify 64KB-decimals / HMAC",
        ours: ("verify/64KB-decimals", "waxwing"),
        rival: ("verify/64KB-decimals", "hmac"),
        at_most: 2.5,
    },
    Cell {
        name: "verify 64KB-text / HMAC",
        ours: ("verify/64KB-text", "waxwing"),
        rival: ("verify/64KB-text", "hmac"),
        at_most: 1.35,
    },
    Cell {
        name: "verify 64KB-floats / HMAC",
        ours: ("verify/64KB-floats", "waxwing"),
        rival: ("verify/64KB-floats", "hmac"),
        at_most: 5.0,
    },
    Cell {
        name: "sign 300B / HMAC",
        ours: ("sign/300B", "waxwing"),
        rival: ("sign/300B", "hmac"),
        at_most: 2.0,
    },
    Cell {
        name: "sign 4KB-decimals / HMAC",
        ours: ("sign/4KB-decimals", "waxwing"),
        rival: ("sign/4KB-decimals", "hmac"),
        at_most: 3.5,
    },
    Cell {
        name: "sign 64KB-decimals / HMAC",
        ours: ("sign/64KB-decimals", "waxwing"),
        rival: ("sign/64KB-decimals", "hmac"),
        at_most: 3.5,
    },
    Cell {
        name: "sign 64KB-text / HMAC",
        ours: ("sign/64KB-text", "waxwing"),
        rival: ("sign/64KB-text", "hmac"),
        at_most: 1.6,
    },
    Cell {
        name: "sign 64KB-floats / HMAC",
        ours: ("sign/64KB-floats", "waxwing"),
        rival: ("sign/64KB-floats", "hmac"),
        at_most: 6.0,
    },
    Cell {
        name: "verify 300B / parse + serde_json_canonicalizer + HMAC",
        ours: ("verify/300B", "waxwing"),
        rival: ("verify/300B", "serde_json_canonicalizer"),
        at_most: 1.0 / 12.0,
    },
    Cell {
        name: "verify 4KB-decimals / parse + serde_json_canonicalizer + HMAC",
        ours: ("verify/4KB-decimals", "waxwing"),
        rival: ("verify/4KB-decimals", "serde_json_canonicalizer"),
        at_most: 1.0 / 20.0,
    },
    Cell {
        name: "verify 64KB-decimals / parse + serde_json_canonicalizer + HMAC",
        ours: ("verify/64KB-decimals", "waxwing"),
        rival: ("verify/64KB-decimals", "serde_json_canonicalizer"),
        at_most: 1.0 / 20.0,
    },
    Cell {
        name: "verify 64KB-text / parse + serde_json_canonicalizer + HMAC",
        ours: ("verify/64KB-text", "waxwing"),
        rival: ("verify/64KB-text", "serde_json_canonicalizer"),
        at_most: 1.0 / 1.8,
    },
    Cell {
        name: "verify 64KB-floats / parse + serde_json_canonicalizer + HMAC",
        ours: ("verify/64KB-floats", "waxwing"),
        rival: ("verify/64KB-floats", "serde_json_canonicalizer"),
        at_most: 1.0 / 3.0,
    },
    Cell {
        name: "canonicalise 300B / serde_json_canonicalizer",
        ours: ("canonicalize/300B", "waxwing"),
        rival: ("canonicalize/300B", "serde_json_canonicalizer"),
        at_most: 1.0 / 5.0,
    },
    Cell {
        name: "canonicalise 4KB-decimals / serde_json_canonicalizer",
        ours: ("canonicalize/4KB-decimals", "waxwing"),
        rival: ("canonicalize/4KB-decimals", "serde_json_canonicalizer"),
        at_most: 1.0 / 5.0,
    },
    Cell {
        name: "canonicalise 64KB-decimals / serde_json_canonicalizer",
        ours: ("canonicalize/64KB-decimals", "waxwing"),
        rival: ("canonicalize/64KB-decimals", "serde_json_canonicalizer"),
        at_most: 1.0 / 5.0,
    },
    Cell {
        name: "canonicalise 64KB-text / serde_json_canonicalizer",
        ours: ("canonicalize/64KB-text", "waxwing"),
        rival: ("canonicalize/64KB-text", "serde_json_canonicalizer"),
        at_most: 1.0 / 5.0,
    },
    Cell {
        name: "canonicalise 64KB-floats / serde_json_canonicalizer",
        ours: ("canonicalize/64KB-floats", "waxwing"),
        rival: ("canonicalize/64KB-floats", "serde_json_canonicalizer"),
        at_most: 1.0 / 5.0,
    },
    Cell {
        name: "a call of batch_sum with 1000 numbers / decoding them",
        ours: ("batch_sum/1000", "waxwing"),
        rival: ("batch_sum/1000", "serde_json"),
        at_most: 2.5,
    },
];

/// What became of a promise.
#[derive(Debug, PartialEq)]
pub(super) struct Ratio {
    pub(super) name: &'static str,
    pub(super) at_most: f64,
    pub(super) verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    Kept(f64),
    Missed(f64),
    /// One of the two benches has not run.
    NotMeasured,
}

impl Ratio {
    pub(super) fn measured(&self) -> Option<f64> {
        match self.verdict {
            Verdict::Kept(ratio) | Verdict::Missed(ratio) => Some(ratio),
            Verdict::NotMeasured => None,
        }
    }
}

pub(super) fn measure(cells: &[Cell], medians: &Medians) -> Vec<Ratio> {
    let median = |(group, id)| medians.get(&BenchId::new(group, id));
    cells
        .iter()
        .map(|cell| {
            let verdict = match median(cell.ours).zip(median(cell.rival)) {
                None => Verdict::NotMeasured,
                Some((ours, rival)) if ours <= rival * cell.at_most => Verdict::Kept(ours / rival),
                Some((ours, rival)) => Verdict::Missed(ours / rival),
            };
            Ratio { name: cell.name, at_most: cell.at_most, verdict }
        })
        .collect()
}

pub(super) fn table(ratios: &[Ratio]) -> String {
    let rows = ratios.iter().map(|ratio| {
        let word = match ratio.verdict {
            Verdict::Kept(_) => "yes",
            Verdict::Missed(_) => "NO",
            Verdict::NotMeasured => "not measured",
        };
        let measured = ratio.measured().map_or_else(String::new, times);
        [ratio.name.to_owned(), measured, times(ratio.at_most), word.to_owned()]
    });
    markdown(["against", "measured", "promised", "kept"], &rows.collect::<Vec<_>>())
}

/// A ratio as people say it: `1.62 times the time`, or `12.5 times faster`.
pub(super) fn times(ratio: f64) -> String {
    if ratio < 1.0 {
        format!("{:.1} times faster", 1.0 / ratio)
    } else {
        format!("{ratio:.2} times")
    }
}

#[cfg(test)]
mod tests {
    use super::{Cell, Medians, Verdict, measure, table};
    use crate::bench::medians::BenchId;

    fn cell(name: &'static str, ours: &'static str, at_most: f64) -> Cell {
        Cell { name, ours: ("verify", ours), rival: ("verify", "hmac"), at_most }
    }

    #[test]
    fn promises_are_kept_missed_or_not_measured() {
        let medians: Medians = [("ours", 160.0), ("slow", 300.0), ("fast", 4.0), ("hmac", 100.0)]
            .map(|(id, nanos)| (BenchId::new("verify", id), nanos))
            .into_iter()
            .collect();
        let cells = [
            cell("a", "ours", 1.6),
            cell("b", "slow", 1.8),
            cell("c", "fast", 0.05),
            cell("d", "gone", 1.0),
        ];
        let ratios = measure(&cells, &medians);
        let verdicts: Vec<_> = ratios.iter().map(|ratio| ratio.verdict).collect();
        assert_eq!(
            verdicts,
            [Verdict::Kept(1.6), Verdict::Missed(3.0), Verdict::Kept(0.04), Verdict::NotMeasured]
        );
        let table = table(&ratios);
        for line in
            ["1.60 times ", "| NO ", "25.0 times faster | 20.0 times faster | yes", "not measured"]
        {
            assert!(table.contains(line), "{line} not in\n{table}");
        }
    }
}

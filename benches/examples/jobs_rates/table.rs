//! The table of a run, in Markdown: each figure beside what was promised, and whether it was kept.

use std::time::Duration;

/// What is promised of a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Promise {
    AtLeast(f64),
    AtMost(f64),
    /// Shown for comparison.
    None,
}

/// What a figure counts, and so how it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    PerSecond,
    Percent,
    Micros,
    Millis,
    Times,
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::PerSecond if value < 100.0 => format!("{value:.2}/s"),
            Self::PerSecond => format!("{}/s", thousands(value.round() as u64)),
            Self::Percent => format!("{value:.0} %"),
            Self::Micros => format!("{value:.1} us"),
            Self::Millis => format!("{value:.1} ms"),
            Self::Times => format!("{value:.2} x"),
        }
    }
}

/// A number with commas between its thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The rows of a run so far. Each is also said on stderr as it comes, since a run is long.
pub(crate) struct Table {
    store: String,
    rows: Vec<[String; 4]>,
}

impl Table {
    pub(crate) fn of(store: String) -> Self {
        Self { store, rows: Vec::new() }
    }

    pub(crate) fn add(
        &mut self,
        figure: impl Into<String>,
        value: f64,
        unit: Unit,
        promise: Promise,
    ) {
        let (promised, kept) = match promise {
            Promise::AtLeast(least) => {
                (format!("{} or more", unit.show(least)), Some(value >= least))
            }
            Promise::AtMost(most) => (format!("{} or less", unit.show(most)), Some(value <= most)),
            Promise::None => (String::new(), None),
        };
        let kept = kept.map_or("", |kept| if kept { "yes" } else { "NO" });
        let row = [figure.into(), unit.show(value), promised, kept.to_owned()];
        eprintln!("{}", row.join(" | "));
        self.rows.push(row);
    }

    /// In Markdown.
    pub(crate) fn print(&self) {
        println!("| {} | measured | promised | kept |\n|---|---|---|---|", self.store);
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
    }
}

pub(crate) fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The value at this share of the sorted ones.
pub(crate) fn at<T: Copy + PartialOrd>(values: &mut [T], share: f64) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("no NaN"));
    let place = (values.len() as f64 * share) as usize;
    values[place.min(values.len() - 1)]
}

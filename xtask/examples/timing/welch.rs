//! Welch's t of two classes of times, without the slowest ones: those are the operating system's.

/// Which parts of all times are kept, in turn. A verdict that held for one of them alone would be chance.
pub(crate) const CROPS: [f64; 5] = [0.5, 0.75, 0.9, 0.95, 0.99];

/// The times of both classes, in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Times(pub(crate) [Vec<u32>; 2]);

/// The size of t, without its sign: the median over the crops, and each.
pub(crate) fn verdict(times: &Times) -> (f64, Vec<f64>) {
    let mut pooled: Vec<u32> = times.0.concat();
    pooled.sort_unstable();
    let by_crop: Vec<f64> = CROPS
        .iter()
        .map(|part| {
            let last = (pooled.len() as f64 * part) as usize;
            let most = pooled.get(last).copied().unwrap_or(u32::MAX);
            welch(times, most).abs()
        })
        .collect();
    let mut sorted = by_crop.clone();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(CROPS.len() / 2).copied().unwrap_or(f64::NAN);
    (median, by_crop)
}

/// How much slower the second class is, in nanoseconds a run, over the fastest nine tenths.
pub(crate) fn apart(times: &Times, runs: u32) -> f64 {
    let mut pooled: Vec<u32> = times.0.concat();
    pooled.sort_unstable();
    let most = pooled.get(pooled.len() / 10 * 9).copied().unwrap_or(u32::MAX);
    let [a, b] = times.0.each_ref().map(|class| {
        moments(class.iter().filter(|time| **time <= most).map(|time| f64::from(*time))).mean
    });
    (b - a) / f64::from(runs)
}

/// Welch's t of the times up to `most`.
fn welch(times: &Times, most: u32) -> f64 {
    let [a, b] = times.0.each_ref().map(|class| {
        let kept = class.iter().filter(|time| **time <= most).map(|time| f64::from(*time));
        moments(kept)
    });
    let spread = (a.variance / a.count + b.variance / b.count).sqrt();
    match spread > 0.0 {
        true => (a.mean - b.mean) / spread,
        // Times that never vary: no difference, or nothing else.
        false if a.mean == b.mean => 0.0,
        false => f64::INFINITY,
    }
}

struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

/// Welford's way, which does not cancel.
fn moments(values: impl Iterator<Item = f64>) -> Moments {
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        let off = value - mean;
        mean += off / count;
        squares += off * (value - mean);
    }
    Moments { count, mean, variance: squares / (count - 1.0_f64).max(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Random;

    /// Times around 500 ns with a long tail, those of the second class so much slower.
    fn synthetic(slower: u32, seed: u64) -> Times {
        let (mut random, mut times) = (Random(seed), Times::default());
        for _ in 0..200_000 {
            let class = (random.next() & 1) as usize;
            // Nearly normal: a sum of four.
            let noise: u64 = (0..4).map(|_| random.next() % 40).sum();
            let tail = if random.next().is_multiple_of(50) { random.next() % 20_000 } else { 0 };
            times.0[class].push(500 + (noise + tail) as u32 + slower * class as u32);
        }
        times
    }

    #[test]
    fn equal_classes_are_equal_and_a_leak_of_two_nanoseconds_is_one() {
        for seed in 1..6 {
            let (t, by_crop) = verdict(&synthetic(0, seed));
            assert!(t < 5.0, "seed {seed}: {by_crop:?}");
            let (t, by_crop) = verdict(&synthetic(2, seed));
            assert!(t > 5.0, "seed {seed}: {by_crop:?}");
            assert!(verdict(&synthetic(10, seed)).0 > 50.0);
        }
    }

    #[test]
    fn t_is_what_a_table_says() {
        // Means 20.6 and 24, variances 9.3 and 5, five each: t = -3.4 / sqrt(2.86).
        let times = Times([vec![17, 19, 20, 22, 25], vec![21, 23, 24, 25, 27]]);
        let expected = -3.4 / (9.3_f64 / 5.0 + 5.0 / 5.0).sqrt();
        assert!((welch(&times, u32::MAX) - expected).abs() < 1e-9, "{}", welch(&times, u32::MAX));
        let same = Times([vec![5; 9], vec![5; 9]]);
        assert_eq!(welch(&same, u32::MAX), 0.0);
    }
}

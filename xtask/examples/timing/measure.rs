//! Measures: the class of each sample is drawn, its input copied to where all inputs go, and as many runs are
//! timed at once as the clock needs.

use std::hint::black_box;
use std::time::Instant;

use crate::subjects::Subject;
use crate::welch::Times;

/// SplitMix64.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The times of so many samples in all, after some that only warm up.
pub(crate) fn measure(subject: &Subject, samples: u64, random: &mut Random) -> Times {
    let longest = subject.inputs.iter().map(Vec::len).max().unwrap_or(0);
    let (mut input, mut times) = (vec![0; longest], Times::default());
    let warm_up = samples / 50;
    for sample in 0..warm_up + samples {
        // Drawn into one place without a branch, so that nothing but the operation knows the class.
        let class = (random.next() >> 63) as usize;
        let Some(bytes) = subject.inputs.get(class) else { continue };
        input.clear();
        input.extend_from_slice(bytes);
        let begin = Instant::now();
        for _ in 0..subject.runs {
            black_box(subject.operation.run(black_box(&input)));
        }
        let took = begin.elapsed();
        if sample >= warm_up
            && let Some(class) = times.0.get_mut(class)
        {
            class.push(u32::try_from(took.as_nanos()).unwrap_or(u32::MAX));
        }
    }
    times
}

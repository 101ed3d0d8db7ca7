//! Inputs made to cost more than they are long: each is read or refused in linear time, on a small stack.

#![expect(clippy::disallowed_methods, reason = "what is measured here is time and stack")]

use std::thread;
use std::time::{Duration, Instant};

use waxwing_core::canonical::{self, Reason};
use waxwing_core::message::{Answer, MessageError, Request};
use waxwing_core::{Limits, Scratch};

const MILLION: usize = 1_000_000;
const QUARTER: usize = MILLION / 4;

/// What a reader that needs quadratic time would outrun by hours, unoptimised and on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// Runs `work` on a stack of 512 KiB.
fn on_a_small_stack(name: &str, work: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let start = Instant::now();
        let thread = thread::Builder::new().name(name.to_owned()).stack_size(512 << 10);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap();
        assert!(start.elapsed() < DEADLINE, "{name} took {:?}", start.elapsed());
    });
}

/// Reads `bytes` in every way there is, and gives the length of the canonical text.
fn read_all_ways(bytes: &[u8], limits: &Limits) -> Result<usize, Reason> {
    let mut scratch = Scratch::new();
    for refused in [
        Request::read(bytes, limits, &mut scratch).map(|_| ()),
        Answer::read(bytes, limits, &mut Scratch::new()).map(|_| ()),
    ] {
        if let MessageError::Json(error) = refused.unwrap_err() {
            assert!(error.offset() <= bytes.len());
            assert!(error.path().len() < 20_000);
        }
    }
    _ = canonical::check(bytes, limits);
    let length = canonical::canonicalize(bytes, limits).map(|text| text.len());
    length.map_err(|error| error.reason())
}

/// Explodes each of `bombs`: an input and the length of its canonical text, or why it is refused.
fn explode(limits: &Limits, bombs: Vec<(&str, String, Result<usize, Reason>)>) {
    for (name, bytes, expected) in bombs {
        on_a_small_stack(name, || {
            assert_eq!(read_all_ways(bytes.as_bytes(), limits), expected, "{name}");
        });
    }
}

const LARGE: Limits = Limits::DEFAULT.with_max_message(64 << 20);

#[test]
fn nesting_is_refused_one_over_its_limit() {
    let nested = |open: &str, inside: &str, close: &str, depth: usize| {
        format!("{}{inside}{}", open.repeat(depth), close.repeat(depth))
    };
    for depth in [1, 2, Limits::DEFAULT.max_depth(), Limits::DEEPEST] {
        let limits = LARGE.with_max_depth(depth);
        let too_deep = Err(Reason::TooDeep(depth));
        explode(
            &limits,
            vec![
                ("brackets", "[".repeat(MILLION), too_deep),
                ("members", "{\"a\":".repeat(MILLION), too_deep),
                ("both", format!("{{\"args\":{}", "{\"a\":[".repeat(MILLION)), too_deep),
                ("arrays at the limit", nested("[", "", "]", depth), Ok(2 * depth)),
                ("arrays one over", nested("[", "", "]", depth + 1), too_deep),
                ("spaced at the limit", nested(" [", " ", " ]", depth), Ok(2 * depth)),
                ("spaced one over", nested(" [", " ", " ]", depth + 1), too_deep),
                ("objects at the limit", nested("{\"a\":", "1", "}", depth), Ok(6 * depth + 1)),
                ("objects one over", nested("{\"a\":", "1", "}", depth + 1), too_deep),
                (
                    "sorted at every depth",
                    nested("{\"b\":", "1", ",\"a\":0}", depth),
                    Ok(12 * depth + 1),
                ),
            ],
        );
    }
    let bomb = "[".repeat(2 * MILLION);
    explode(&Limits::DEFAULT, vec![("too long", bomb, Err(Reason::TooLarge(1 << 20)))]);
}

#[test]
fn strings_are_read_in_linear_time() {
    let mebibyte = "n".repeat(1 << 20);
    let string = |piece: &str, times: usize| format!("[\"{}\"]", piece.repeat(times));
    let endless = |piece: &str, times: usize| format!("[\"{}", piece.repeat(times));
    explode(
        &LARGE,
        vec![
            ("a long name", format!("{{\"{mebibyte}\":1}}"), Ok((1 << 20) + 6)),
            ("twice", format!("{{\"{mebibyte}\":1,\"{mebibyte}\":1}}"), Err(Reason::DuplicateName)),
            ("a long bad name", format!("{{\"{mebibyte}\\q\":1}}"), Err(Reason::BadEscape)),
            ("below a long name", format!("{{\"{mebibyte}\":[01]}}"), Err(Reason::BadNumber)),
            ("short escapes", string("\\n", MILLION), Ok(2 * MILLION + 4)),
            ("long escapes", string("\\u0061", MILLION), Ok(MILLION + 4)),
            ("surrogates", string("\\ud83d\\ude00", QUARTER), Ok(4 * QUARTER + 4)),
            ("control characters", string("\\u0001", MILLION), Ok(6 * MILLION + 4)),
            ("escapes without an end", endless("\\\\", QUARTER), Err(Reason::UnexpectedEnd)),
            ("a string without an end", endless("x", MILLION), Err(Reason::UnexpectedEnd)),
            ("white space", " ".repeat(MILLION), Err(Reason::UnexpectedEnd)),
            ("white space around", format!("{0}[{0}]{0}", " ".repeat(MILLION)), Ok(2)),
        ],
    );
}

#[test]
fn numbers_are_read_in_linear_time() {
    let million = |digit: &str| digit.repeat(MILLION);
    explode(
        &LARGE,
        vec![
            ("digits", format!("[{}]", million("1")), Err(Reason::NotFinite)),
            ("zeros", format!("[1.{}]", million("0")), Ok("[1]".len())),
            ("a digit behind zeros", format!("[0.{}1]", million("0")), Ok("[0]".len())),
            (
                "made good by an exponent",
                format!("[0.{}1e60000]", "0".repeat(60_000)),
                Ok("[0.1]".len()),
            ),
            ("decimals", format!("[0.{}]", million("3")), Ok("[0.3333333333333333]".len())),
            ("a long exponent", format!("[1e{}]", million("9")), Err(Reason::NotFinite)),
            ("a long small exponent", format!("[1e-{}]", million("9")), Ok("[0]".len())),
            ("many short", format!("[{}0]", million("1.5,")), Ok(4 * MILLION + 3)),
            (
                "many, then none",
                format!("[{}]", "1.5,".repeat(QUARTER)),
                Err(Reason::ExpectedValue),
            ),
            ("many long", format!("[{}0]", "0.1234567890123456,".repeat(100_000)), Ok(1_900_003)),
            ("no numbers", format!("[{}]", million(",")), Err(Reason::ExpectedValue)),
        ],
    );
}

#[test]
fn many_members_are_sorted_in_almost_linear_time() {
    let members = |name: &dyn Fn(usize) -> String, count: usize| {
        let members: Vec<String> = (0..count).map(|i| format!("\"{}\":1", name(i))).collect();
        format!("{{{}}}", members.join(","))
    };
    let sorted = members(&|i| format!("{i:06}"), 100_000);
    let reversed = members(&|i| format!("{:06}", 99_999 - i), 100_000);
    let shuffled = members(&|i| format!("{:06}", i * 7919 % 20_000), 20_000);
    let long = members(&|i| format!("{}{:03}", "p".repeat(1000), 999 - i), 1000);
    let escaped = members(&|i| format!("\\u00e9{i}"), 100_000);
    let same = members(&|_| "a".to_owned(), 100_000);
    explode(
        &LARGE,
        vec![
            ("sorted", sorted, Ok(1_100_001)),
            ("reversed", reversed, Ok(1_100_001)),
            ("shuffled", shuffled, Ok(220_001)),
            ("long common prefixes", long, Ok(1_008_001)),
            ("escaped names", escaped, Ok(1_188_891)),
            ("one name", same, Err(Reason::DuplicateName)),
            ("empty arrays", format!("[{}[]]", "[],".repeat(MILLION)), Ok(3 * MILLION + 4)),
        ],
    );
}

/// A depth that was configured beyond the deepest is the deepest.
#[test]
fn no_configuration_makes_the_reader_recurse_further() {
    let limits = Limits::default().with_max_message(64 << 20).with_max_depth(usize::MAX);
    assert_eq!(limits.max_depth(), Limits::DEEPEST);
    on_a_small_stack("brackets", move || {
        for bomb in ["[".repeat(MILLION), "{\"a\":".repeat(MILLION)] {
            let refused = canonical::canonicalize(bomb.as_bytes(), &limits).unwrap_err();
            assert_eq!(refused.reason(), Reason::TooDeep(Limits::DEEPEST));
        }
    });
}

/// The writer stops where no reader would follow.
#[test]
fn the_writer_is_as_deep_as_the_deepest_reader() {
    on_a_small_stack("writer", || {
        let nested = |depth: usize| {
            (0..depth).fold(serde_json::Value::Null, |inside, i| match i % 2 {
                0 => serde_json::json!([inside]),
                _ => serde_json::json!({ "b": inside, "a": 1 }),
            })
        };
        let deepest = Limits::default().with_max_depth(Limits::DEEPEST);
        let text = canonical::to_vec(&nested(Limits::DEEPEST)).unwrap();
        assert!(canonical::check(&text, &deepest).is_ok());
        let error = canonical::to_vec(&nested(Limits::DEEPEST + 1)).unwrap_err();
        assert_eq!(error, canonical::WriteError::TooDeep(Limits::DEEPEST));
    });
}

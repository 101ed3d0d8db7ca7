//! A canonical message is read where it stands: not one allocation, whatever its size.

use allocation_counter::measure;
use waxwing_core::message::{Answer, Request};
use waxwing_core::{Limits, Scratch, canonical};

use crate::samples::{self, with};

/// How often reading `text` allocates.
fn allocations_of_request(text: &str) -> u64 {
    let limits = Limits::default();
    let mut scratch = Scratch::new();
    let mut read = None;
    let counted = measure(|| read = Some(Request::read(text.as_bytes(), &limits, &mut scratch)));
    let request = read.unwrap().unwrap();
    assert_eq!(
        request.signed().concat().len() + ",\"signature\":\"\"".len() + 64,
        text.trim().len()
    );
    counted.count_total
}

/// Arguments of about `size` bytes, of each kind.
fn arguments(size: usize) -> Vec<String> {
    let repeated = |element: &str| {
        let count = size / (element.len() + 1);
        format!("{{\"a\":[{}]}}", vec![element; count].join(","))
    };
    let numbers = |digits: usize| {
        let mut list: Vec<String> = Vec::new();
        while list.iter().map(|number| number.len() + 1).sum::<usize>() < size.min(64 << 10) {
            let value = (list.len() as f64 + 1.0).sqrt();
            let short: f64 = format!("{value:.digits$}").parse().unwrap();
            list.push(canonical::number_to_string(short).unwrap());
        }
        format!("{{\"a\":[{}]}}", list.join(","))
    };
    let members: Vec<String> = (0..size / 16).map(|i| format!("\"n{i:06}\":{i}")).collect();
    vec![
        repeated("1.25"),
        repeated("0.30000000000000004"),
        repeated("-6.1361226666555e-9"),
        repeated("1e+21"),
        repeated("true"),
        repeated("\"text with \u{e9}, \u{1f600} and \\n\\u0000\\\"\""),
        repeated("{\"a\":{\"\\n\":[null],\"b\":\"\"},\"\u{1f600}\":{},\"\u{fb33}\":[]}"),
        numbers(3),
        numbers(16),
        format!("{{\"a\":\"{}\"}}", "plain text ".repeat(size / 11)),
        format!("{{{}}}", members.join(",")),
        format!("{{\"{}\":1}}", "n".repeat(size)),
    ]
}

#[test]
fn reading_a_canonical_request_allocates_nothing() {
    assert_eq!(allocations_of_request(&samples::text(samples::REQUEST)), 0);
    for size in [100, 4 << 10, 64 << 10] {
        for args in arguments(size) {
            let mut members = samples::without(samples::REQUEST, "args");
            let args: &'static str = Box::leak(args.into_boxed_str());
            members.push(("args", args));
            let text = samples::text(&members);
            let start = &args[..args.len().min(40)];
            assert_eq!(allocations_of_request(&text), 0, "{size} bytes: {start}");
        }
    }
}

#[test]
fn reading_a_canonical_reply_that_carries_output_allocates_nothing() {
    let text = samples::text(samples::REPLY);
    let limits = Limits::default();
    let mut scratch = Scratch::new();
    let mut read = None;
    let counted = measure(|| read = Some(Answer::read(text.as_bytes(), &limits, &mut scratch)));
    assert!(matches!(read, Some(Ok(Answer::Reply(_)))));
    assert_eq!(counted.count_total, 0);
}

/// The detector fires: another spelling needs a buffer, and a refusal an error.
#[test]
fn another_spelling_allocates() {
    let text = samples::text(samples::REQUEST);
    assert!(allocations_of_request(&format!(" {text}")) > 0);
    let unordered = with(samples::REQUEST, "args", "{\"b\":1,\"a\":2}");
    let unordered = samples::text(&unordered);
    assert!(allocations_of_request(&unordered) > 0);
}

/// The second message of another spelling finds the room that the first one needed.
#[test]
fn scratch_spares_the_second_message_its_allocations() {
    let text = format!("{} ", samples::text(samples::REQUEST));
    let limits = Limits::default();
    let mut scratch = Scratch::new();
    let mut count = || {
        measure(|| assert!(Request::read(text.as_bytes(), &limits, &mut scratch).is_ok()))
            .count_total
    };
    assert!(count() > 0);
    assert_eq!(count(), 0);
}

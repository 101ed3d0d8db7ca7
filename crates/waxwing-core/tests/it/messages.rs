//! The closed shapes of wire.md §2 and §3: what is missing, unknown, of the wrong type or of another
//! version is refused, in any spelling.

use waxwing_core::canonical::Reason;
use waxwing_core::message::{Answer, MessageError, Outcome, Request, ShapeError};
use waxwing_core::{ErrorCode, Limits, Scratch};

use crate::respell::respell;
use crate::samples::{self, Member, text, with, without};

/// A message that can be read, or why not; the same in each of several spellings.
type Read = fn(&str) -> Result<String, MessageError>;

pub(crate) fn request(text: &str) -> Result<String, MessageError> {
    in_each_spelling(text, |bytes| {
        let mut scratch = Scratch::new();
        let read = Request::read(bytes, &Limits::default(), &mut scratch)?;
        Ok(format!("{:?} {:?} {:?}", read.claim(), read.signature(), read.signed()))
    })
}

pub(crate) fn answer(text: &str) -> Result<String, MessageError> {
    in_each_spelling(text, |bytes| {
        let mut scratch = Scratch::new();
        match Answer::read(bytes, &Limits::default(), &mut scratch)? {
            Answer::Refusal(refusal) => Ok(format!("{refusal:?}")),
            Answer::Reply(reply) => {
                Ok(format!("{:?} {:?} {:?}", reply.claim(), reply.signature(), reply.signed()))
            }
        }
    })
}

/// Reads `canonical` where it stands and in other spellings, and holds the answers to each other.
fn in_each_spelling(
    canonical: &str,
    read: impl Fn(&[u8]) -> Result<String, MessageError>,
) -> Result<String, MessageError> {
    let first = read(canonical.as_bytes());
    let choices =
        [&[][..], &[0, 0, 0, 1], &[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3], &[6], &[7, 2]];
    for choices in choices {
        let spelling = format!("\n{}", respell(canonical, choices));
        match (&first, read(spelling.as_bytes())) {
            (Err(MessageError::Json(a)), Err(MessageError::Json(b))) => {
                assert_eq!(a.reason(), b.reason(), "{spelling}");
            }
            (first, other) => assert_eq!(*first, other, "{spelling}"),
        }
    }
    first
}

const KINDS: [(&[Member], Read); 3] =
    [(samples::REQUEST, request), (samples::REPLY, answer), (samples::REFUSAL, answer)];

fn shape(read: Result<String, MessageError>) -> ShapeError {
    match read {
        Err(MessageError::Shape(error)) => {
            let code = match error {
                ShapeError::UnsupportedVersion => ErrorCode::UnsupportedVersion,
                _ => ErrorCode::Malformed,
            };
            assert_eq!(MessageError::from(error).code(), code);
            error
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn whole_messages_are_read() {
    for (members, read) in KINDS {
        read(&text(members)).unwrap();
    }
}

#[test]
fn a_missing_member_is_refused_unless_it_is_optional() {
    for (members, read) in KINDS {
        for (name, _) in members {
            let text = text(&without(members, name));
            if samples::OPTIONAL.contains(name) {
                read(&text).unwrap();
                continue;
            }
            match shape(read(&text)) {
                ShapeError::MissingMember { name: missing, offset } => {
                    // Without its error a refusal is taken for a reply, which begins with its client.
                    assert!(missing == *name || *name == "error", "{name}: {missing}");
                    assert!(offset <= text.len());
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        assert!(matches!(shape(read("{}")), ShapeError::MissingMember { .. }));
    }
}

#[test]
fn an_unknown_member_is_refused_wherever_it_stands() {
    let names = [
        "",
        "\n",
        "\"",
        "\\",
        "A",
        "a",
        "aa",
        "b",
        "d",
        "f",
        "j",
        "l",
        "o",
        "r",
        "rf",
        "s",
        "si",
        "sj",
        "status_",
        "t",
        "to",
        "tool_",
        "ts",
        "tt",
        "tz",
        "u",
        "va",
        "w",
        "zz",
        "\u{e9}",
        "\u{fb33}",
        "\u{1f600}",
        "Args",
        "V",
        "sig",
        "alg",
        "error_",
        "result_",
    ];
    for (members, read) in KINDS {
        for name in names {
            for value in ["1", "null", "{}", "\"waxwing/1\""] {
                let text = text(&with(members, name, value));
                let error = shape(read(&text));
                if members == samples::REFUSAL && name < "error" {
                    // Only what begins with its error is taken for a refusal.
                    assert_ne!(error, ShapeError::UnsupportedVersion);
                    continue;
                }
                assert!(
                    matches!(error, ShapeError::UnknownMember { .. }),
                    "{name:?}: {error:?} {text}"
                );
                assert!(
                    text.get(error.offset()..).is_some_and(|rest| rest.starts_with([',', '{']))
                );
            }
        }
    }
    // A member of another kind of message.
    for (members, read, name, value) in [
        (samples::REQUEST, request as Read, "status", "\"ok\""),
        (samples::REQUEST, request, "result", "{}"),
        (samples::REPLY, answer, "tool", "\"batch_sum\""),
        (samples::REPLY, answer, "args", "{}"),
        (samples::REPLY, answer, "error", "{\"code\":\"internal\",\"message\":\"\"}"),
        (samples::REFUSAL, answer, "signature", samples::REQUEST[7].1),
        (samples::REFUSAL, answer, "request_id", "\"r\""),
    ] {
        assert!(matches!(
            shape(read(&text(&with(members, name, value)))),
            ShapeError::UnknownMember { .. }
        ));
    }
}

#[test]
fn a_member_of_the_wrong_type_is_refused() {
    let values = [
        "null",
        "true",
        "0",
        "-1",
        "1.5",
        "[]",
        "{}",
        "[1]",
        "[\"waxwing/1\"]",
        "{\"a\":1}",
        "\"\"",
        "\"a b\"",
        "\"\u{e9}\"",
        "\"\\n\"",
        "\"request\\u0000\"",
        "1e+21",
        "[{}]",
    ];
    for (members, read) in KINDS {
        for (name, _) in members {
            for value in values {
                let fits = match *name {
                    "args" => value.starts_with('{'),
                    "result" => true,
                    "ts_ms" => matches!(value, "0" | "-1"),
                    _ => false,
                };
                let text = text(&with(members, name, value));
                if fits {
                    read(&text).unwrap();
                    continue;
                }
                match shape(read(&text)) {
                    ShapeError::UnsupportedVersion => assert_eq!(*name, "v"),
                    ShapeError::InvalidMember { name: invalid, offset, .. } => {
                        assert_eq!(invalid, *name, "{value}");
                        assert!(offset <= text.len());
                    }
                    // Inside the error of a refusal.
                    other => assert_eq!(*name, "error", "{value}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn something_else_in_place_of_an_object_is_refused() {
    for other in ["[]", "[{}]", "null", "1", "\"a\"", "true", "[\"waxwing/1\"]"] {
        for read in [request as Read, answer] {
            match read(other) {
                Err(MessageError::Json(error)) => {
                    assert_eq!(error.reason(), Reason::ExpectedObject)
                }
                read => panic!("{other}: {read:?}"),
            }
        }
    }
    let values: Vec<&str> = samples::REQUEST.iter().map(|(_, value)| *value).collect();
    assert!(request(&format!("[{}]", values.join(","))).is_err());
}

#[test]
fn another_version_is_told_apart_before_the_shape() {
    let versions = [
        "\"waxwing/2\"",
        "\"waxwing/1.0\"",
        "\"Waxwing/1\"",
        "\"waxwing/1 \"",
        "\"waxwing/1\\n\"",
        "\"waxwing/\"",
        "\"\"",
        "\"\\\"waxwing/1\\\"\"",
        "1",
        "null",
        "[]",
        "{\"v\":\"waxwing/1\"}",
    ];
    for (members, read) in KINDS {
        for version in versions {
            let other = with(members, "v", version);
            assert_eq!(shape(read(&text(&other))), ShapeError::UnsupportedVersion, "{version}");
            // What another version has besides is its own affair.
            for name in ["a", "n", "zz"] {
                let other = with(&other, name, "{\"v\":\"waxwing/1\"}");
                assert_eq!(shape(read(&text(&other))), ShapeError::UnsupportedVersion);
            }
            let short = [("v", version)];
            assert_eq!(shape(read(&text(&short))), ShapeError::UnsupportedVersion);
        }
        // A version further inside says nothing.
        let inside = without(&with(members, "a", "{\"v\":\"waxwing/2\"}"), "v");
        assert_ne!(shape(read(&text(&inside))), ShapeError::UnsupportedVersion);
    }
}

#[test]
fn one_kind_of_message_is_never_taken_for_another() {
    for typ in [
        "\"reply\"",
        "\"refusal\"",
        "\"event\"",
        "\"Request\"",
        "\"requests\"",
        "\"reques\"",
        "\"\"",
    ] {
        let error = shape(request(&text(&with(samples::REQUEST, "typ", typ))));
        assert!(matches!(error, ShapeError::InvalidMember { name: "typ", .. }), "{typ}: {error:?}");
    }
    for typ in ["\"request\"", "\"refusal\"", "\"event\"", "\"repl\"", "\"replys\""] {
        let error = shape(answer(&text(&with(samples::REPLY, "typ", typ))));
        assert!(matches!(error, ShapeError::InvalidMember { name: "typ", .. }), "{typ}: {error:?}");
    }
    for typ in ["\"request\"", "\"reply\"", "\"refusals\""] {
        let error = shape(answer(&text(&with(samples::REFUSAL, "typ", typ))));
        assert!(matches!(error, ShapeError::InvalidMember { name: "typ", .. }), "{typ}: {error:?}");
    }
    assert!(answer(&text(samples::REQUEST)).is_err());
    assert!(request(&text(samples::REPLY)).is_err());
    assert!(request(&text(samples::REFUSAL)).is_err());
}

/// Bad JSON is told before a bad shape, with the offset in the bytes that came.
#[test]
fn the_rules_of_json_come_before_those_of_the_shape() {
    let mut scratch = Scratch::new();
    for (text, offset, reason) in [
        ("{\"a\":1,\"a\":2}", 7, Reason::DuplicateName),
        ("{\"args\":{\"x\":[1,01]}}", 16, Reason::BadNumber),
        ("{\"v\":\"waxwing/2\",\"v\":\"waxwing/2\"}", 17, Reason::DuplicateName),
        ("{\"v\":\"waxwing/2\"} x", 18, Reason::TrailingBytes),
        ("{\"v\":\"waxwing/2\",\"x\":9007199254740993}", 21, Reason::UnsafeInteger),
        ("", 0, Reason::UnexpectedEnd),
    ] {
        let read = Request::read(text.as_bytes(), &Limits::default(), &mut scratch).unwrap_err();
        let MessageError::Json(error) = &read else { panic!("{read:?}") };
        assert_eq!((error.offset(), error.reason()), (offset, reason), "{text}");
        assert_eq!((read.offset(), read.code()), (offset, ErrorCode::Malformed));
        scratch = Scratch::new();
    }
    let limits = Limits::default().with_max_message(10);
    let read = Request::read(b"{\"v\":\"waxwing/1\"}", &limits, &mut scratch).unwrap_err();
    assert_eq!((read.code(), read.offset()), (ErrorCode::TooLarge, 10));
}

/// The depth of a message counts its own braces, in place and respelled.
#[test]
fn depth_is_counted_from_the_message_itself() {
    for (depth, fits) in [(62, true), (63, true), (64, false), (65, false)] {
        let args = format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        let members = without(samples::REQUEST, "args");
        let message = text(&members).replacen('{', &format!("{{\"args\":{args},"), 1);
        match request(&message) {
            Ok(_) => assert!(fits, "{depth}"),
            Err(MessageError::Json(error)) => {
                assert_eq!((error.reason(), fits), (Reason::TooDeep(64), false), "{depth}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// However little depth is configured, both ways of reading count it alike.
#[test]
fn every_depth_is_counted_alike_in_place_and_respelled() {
    for max_depth in 1..=5 {
        let limits = Limits::default().with_max_depth(max_depth);
        for args in ["{}", "{\"a\":1}", "{\"a\":[]}", "{\"a\":[{}]}", "{\"a\":[{\"b\":[]}]}"] {
            let message = text(&with(samples::REQUEST, "args", args));
            let depth = 2 + args.matches([']', '}']).count() - 1;
            for spelling in [message.clone(), format!(" {message}")] {
                let mut scratch = Scratch::new();
                let read = Request::read(spelling.as_bytes(), &limits, &mut scratch);
                assert_eq!(read.is_ok(), depth <= max_depth, "{max_depth} {spelling}");
            }
        }
        for result in ["1", "[]", "{\"a\":[]}"] {
            let message = text(&with(samples::REPLY, "result", result));
            let read = |spelling: &str| {
                Answer::read(spelling.as_bytes(), &limits, &mut Scratch::new()).is_ok()
            };
            let depth = 1 + result.matches([']', '}']).count();
            assert_eq!(read(&message), depth <= max_depth, "{max_depth} {message}");
            assert_eq!(read(&format!(" {message}")), depth <= max_depth, "{max_depth} {message}");
        }
    }
}

/// The worked example of wire.md §11: its bytes, its parts and its fields.
#[test]
fn the_worked_example_is_read_as_written() {
    let request_text = text(
        &samples::OPTIONAL
            .iter()
            .fold(samples::REQUEST.to_vec(), |members, name| without(&members, name)),
    );
    let unsigned = "{\"args\":{\"note\":\"caf\u{e9} \u{20ac} \u{1f600}\\n\",\"numbers\":[1.5,2,0,1e+21,0.1]},\"client_id\":\"agent-7\",\"key_id\":\"k1\",\"nonce\":\"0d7a1c5575c14a578f398a1a\",\"request_id\":\"3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d\",\"server_id\":\"sums.example\",\"tool\":\"batch_sum\",\"ts_ms\":1790000000000,\"typ\":\"request\",\"v\":\"waxwing/1\"}";
    let mut scratch = Scratch::new();
    let read = Request::read(request_text.as_bytes(), &Limits::default(), &mut scratch).unwrap();
    assert_eq!(read.signed().concat(), unsigned);
    assert_eq!(
        read.signature().as_str(),
        "39a69c7ca9a17db3c189b4c51919348bb6f11df46a905a3f09c3e9b9e0748bec"
    );
    let request = read.claim();
    assert_eq!(request.ts_ms, 1_790_000_000_000);
    assert_eq!((request.client_id.as_str(), request.tool.as_str()), ("agent-7", "batch_sum"));
    let mut out = Vec::new();
    let draft = request.draft(64, &mut Scratch::new(), &mut out).unwrap();
    assert_eq!(draft.signed(&out).concat(), unsigned.as_bytes());
    draft.complete(&mut out, read.signature().as_str().as_bytes()).unwrap();
    assert_eq!(out, request_text.as_bytes());

    let unsigned = "{\"client_id\":\"agent-7\",\"in_reply_to\":\"39a69c7ca9a17db3c189b4c51919348bb6f11df46a905a3f09c3e9b9e0748bec\",\"key_id\":\"k1\",\"nonce\":\"c1b7f0aa90e24bd2a5b7c1f3\",\"request_id\":\"3f0c2a7e-1c77-4e0e-9c3e-1d2f3a4b5c6d\",\"result\":{\"count\":5,\"total\":1e+21},\"server_id\":\"sums.example\",\"status\":\"ok\",\"ts_ms\":1790000000042,\"typ\":\"reply\",\"v\":\"waxwing/1\"}";
    let mut scratch = Scratch::new();
    let reply_text = text(samples::REPLY);
    let Answer::Reply(reply) =
        Answer::read(reply_text.as_bytes(), &Limits::default(), &mut scratch).unwrap()
    else {
        panic!("not a reply")
    };
    assert_eq!(reply.signed().concat(), unsigned);
    assert_eq!(reply.claim().in_reply_to, *read.signature());
    assert!(
        matches!(&reply.claim().outcome, Outcome::Ok(output) if output.as_str() == "{\"count\":5,\"total\":1e+21}")
    );
    let mut out = Vec::new();
    let draft = reply.claim().draft(64, &mut Scratch::new(), &mut out).unwrap();
    assert_eq!(draft.signed(&out).concat(), unsigned.as_bytes());
    draft.complete(&mut out, reply.signature().as_str().as_bytes()).unwrap();
    assert_eq!(out, reply_text.as_bytes());
}

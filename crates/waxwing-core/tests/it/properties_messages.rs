//! Properties of messages: written and read back they are the same, in place or in any other spelling.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;
use waxwing_core::message::{Answer, Outcome, Progress, Refusal, Reply, Request, Unverified};
use waxwing_core::{
    CallError, CanonicalJson, ClientId, ErrorCode, IdempotencyKey, JobId, KeyId, Limits, Nonce,
    RequestId, Scratch, ServerId, Signature, ToolDigest, ToolName, TraceParent, canonical,
};

use crate::respell::respell;
use crate::values;

const SAFE: u64 = (1 << 53) - 1;

fn json() -> impl Strategy<Value = CanonicalJson<'static>> {
    values::value().prop_map(|value| CanonicalJson::from_serialize(&value).unwrap())
}

fn object() -> impl Strategy<Value = CanonicalJson<'static>> {
    values::object().prop_map(|value| CanonicalJson::from_serialize(&value).unwrap())
}

fn time() -> impl Strategy<Value = i64> {
    -SAFE.cast_signed()..=SAFE.cast_signed()
}

fn party() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._:/@-]{1,128}"
}

fn signature() -> impl Strategy<Value = Signature<'static>> {
    prop_oneof!["[0-9a-f]{64}", "[0-9a-f]{128}"].prop_map(|text| Signature::new(text).unwrap())
}

fn request() -> impl Strategy<Value = Request<'static>> {
    let ids = (
        party(),
        party(),
        party(),
        "[A-Za-z0-9._:-]{1,128}",
        "[A-Za-z0-9_-]{16,64}",
        "[A-Za-z0-9_-]{1,64}",
    );
    let optional = (
        option::of("[A-Za-z0-9._:-]{1,128}"),
        option::of("[0-9a-f]{64}"),
        option::of("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"),
    );
    (ids, optional, time(), object()).prop_map(|(ids, optional, ts_ms, args)| Request {
        request_id: RequestId::new(ids.3).unwrap(),
        ts_ms,
        client_id: ClientId::new(ids.0).unwrap(),
        server_id: ServerId::new(ids.1).unwrap(),
        key_id: KeyId::new(ids.2).unwrap(),
        nonce: Nonce::new(ids.4).unwrap(),
        tool: ToolName::new(ids.5).unwrap(),
        args,
        idempotency_key: optional.0.map(|text| IdempotencyKey::new(text).unwrap()),
        tool_digest: optional.1.map(|text| ToolDigest::new(text).unwrap()),
        traceparent: optional.2.map(|text| TraceParent::new(text).unwrap()),
    })
}

fn error() -> impl Strategy<Value = CallError> {
    (select(ErrorCode::ALL.to_vec()), values::text(), option::of(json()), option::of(0..=SAFE))
        .prop_map(|(code, message, details, wait_ms)| {
            let mut error = CallError::new(code, message);
            error.details = details;
            error.retry_after_ms = wait_ms;
            error
        })
}

fn outcome() -> impl Strategy<Value = Outcome<'static>> {
    let job = || "[A-Za-z0-9._:-]{1,128}".prop_map(|text| JobId::new(text).unwrap());
    let progress = (0..=SAFE, option::of(0..=SAFE), option::of(values::text()))
        .prop_map(|(done, total, message)| Progress { done, total, message });
    prop_oneof![
        json().prop_map(Outcome::Ok),
        (job(), 0..=SAFE, 0..=SAFE).prop_map(|(job_id, poll_after_ms, ttl_ms)| Outcome::Accepted {
            job_id,
            poll_after_ms,
            ttl_ms
        }),
        (job(), 0..=SAFE, option::of(progress)).prop_map(|(job_id, poll_after_ms, progress)| {
            Outcome::Running { job_id, poll_after_ms, progress }
        }),
        (job(), object())
            .prop_map(|(job_id, requests)| Outcome::InputRequired { job_id, requests }),
        (job(), json()).prop_map(|(job_id, output)| Outcome::Done { job_id, output }),
        (job(), option::of(values::text()))
            .prop_map(|(job_id, reason)| Outcome::Cancelled { job_id, reason }),
        error().prop_map(Outcome::Error),
    ]
}

fn reply() -> impl Strategy<Value = Reply<'static>> {
    let ids = (party(), party(), party(), "[A-Za-z0-9._:-]{1,128}", "[A-Za-z0-9_-]{16,64}");
    (ids, signature(), time(), outcome()).prop_map(|(ids, in_reply_to, ts_ms, outcome)| Reply {
        request_id: RequestId::new(ids.3).unwrap(),
        in_reply_to,
        ts_ms,
        nonce: Nonce::new(ids.4).unwrap(),
        client_id: ClientId::new(ids.0).unwrap(),
        server_id: ServerId::new(ids.1).unwrap(),
        key_id: KeyId::new(ids.2).unwrap(),
        outcome,
    })
}

/// What a reader sees of a message.
fn seen<M: Clone>(read: &Unverified<'_, M>) -> (M, String, String) {
    (read.claim().clone(), read.signature().as_str().to_owned(), read.signed().concat())
}

proptest! {
    #[test]
    fn a_request_comes_back(request in request(), signature in signature(), choices in vec(any::<u8>(), 1..100)) {
        let limits = Limits::default();
        let mut out = Vec::new();
        let draft = request.draft(signature.as_str().len(), &mut Scratch::new(), &mut out).unwrap();
        let signed = String::from_utf8(draft.signed(&out).concat()).unwrap();
        draft.complete(&mut out, signature.as_str().as_bytes()).unwrap();
        prop_assert!(canonical::check(&out, &limits).is_ok());
        // The signed bytes are canonical themselves: those of the message without its signature.
        prop_assert!(canonical::check(signed.as_bytes(), &limits).is_ok());

        let mut scratch = Scratch::new();
        let in_place = Request::read(&out, &limits, &mut scratch).unwrap();
        let expected = (request.clone(), signature.as_str().to_owned(), signed);
        prop_assert_eq!(&seen(&in_place), &expected);

        let respelled = respell(std::str::from_utf8(&out).unwrap(), &choices);
        let mut scratch = Scratch::new();
        let other = Request::read(respelled.as_bytes(), &limits, &mut scratch).unwrap();
        prop_assert_eq!(&seen(&other), &expected);

        // Arguments that are still a value are written to the same bytes.
        let value: serde_json::Value = request.args.decode().unwrap();
        let Request { request_id, ts_ms, client_id, server_id, key_id, nonce, tool, args: _, idempotency_key, tool_digest, traceparent } = request;
        let typed = Request { request_id, ts_ms, client_id, server_id, key_id, nonce, tool, args: value, idempotency_key, tool_digest, traceparent };
        let mut again = Vec::new();
        let draft = typed.draft(signature.as_str().len(), &mut Scratch::new(), &mut again).unwrap();
        draft.complete(&mut again, signature.as_str().as_bytes()).unwrap();
        prop_assert_eq!(again, out);
    }

    #[test]
    fn a_reply_comes_back(reply in reply(), signature in signature(), choices in vec(any::<u8>(), 1..100)) {
        let limits = Limits::default();
        let mut out = Vec::new();
        let draft = reply.draft(signature.as_str().len(), &mut Scratch::new(), &mut out).unwrap();
        let signed = String::from_utf8(draft.signed(&out).concat()).unwrap();
        draft.complete(&mut out, signature.as_str().as_bytes()).unwrap();
        prop_assert!(canonical::check(&out, &limits).is_ok());
        prop_assert!(canonical::check(signed.as_bytes(), &limits).is_ok());

        let expected = (reply, signature.as_str().to_owned(), signed);
        let text = std::str::from_utf8(&out).unwrap();
        for spelling in [text.to_owned(), respell(text, &choices)] {
            let mut scratch = Scratch::new();
            match Answer::read(spelling.as_bytes(), &limits, &mut scratch).unwrap() {
                Answer::Reply(read) => prop_assert_eq!(&seen(&read), &expected),
                Answer::Refusal(refusal) => prop_assert!(false, "{:?}", refusal),
            }
        }
    }

    #[test]
    fn a_refusal_comes_back(error in error(), choices in vec(any::<u8>(), 1..100)) {
        let code = error.code;
        let Some(refusal) = Refusal::new(error) else {
            prop_assert!(!code.in_refusal());
            return Ok(());
        };
        let text = String::from_utf8(refusal.to_vec().unwrap()).unwrap();
        prop_assert!(canonical::check(text.as_bytes(), &Limits::default()).is_ok());
        for spelling in [text.clone(), respell(&text, &choices)] {
            let mut scratch = Scratch::new();
            let read = Answer::read(spelling.as_bytes(), &Limits::default(), &mut scratch).unwrap();
            prop_assert!(matches!(read, Answer::Refusal(read) if *read == refusal));
        }
    }

    /// A change anywhere in a message leaves the two ways of reading it in agreement.
    #[test]
    fn a_changed_request_is_read_alike(
        request in request(), at in any::<proptest::sample::Index>(), byte in any::<u8>(), insert in any::<bool>(),
        digits in Just(64_usize),
    ) {
        let mut out = Vec::new();
        let draft = request.draft(digits, &mut Scratch::new(), &mut out).unwrap();
        prop_assert_eq!(draft.signed(&out).concat().len() + 15 + digits, out.len());
        let at = at.index(out.len());
        if insert { out.insert(at, byte) } else { out[at] = byte }
        let spaced = [b" ", out.as_slice()].concat();
        let (mut first, mut second) = (Scratch::new(), Scratch::new());
        let in_place = Request::read(&out, &Limits::default(), &mut first);
        match (in_place, Request::read(&spaced, &Limits::default(), &mut second)) {
            (Ok(a), Ok(b)) => prop_assert_eq!(seen(&a), seen(&b)),
            (Err(a), Err(b)) => {
                prop_assert_eq!(a.code(), b.code());
                prop_assert!(a.offset() <= out.len());
            }
            (a, b) => prop_assert!(false, "{:?} {:?}", a, b),
        }
    }
}

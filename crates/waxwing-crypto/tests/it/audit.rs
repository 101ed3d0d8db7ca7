//! The audit log's chain: whatever is done to a log, the verifier names the first line that is not as
//! it was written; what crashes and rotation leave is told from what people do.

use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use waxwing_core::CanonicalJson;
use waxwing_crypto::audit::{
    AuditDigest, AuditEvent, AuditFault, AuditKey, AuditSummary, CallEvent, Chain, FaultKind,
    JobEvent, Leftover, Tip, Verdict, Verifier,
};

fn key() -> AuditKey {
    AuditKey::new(b"0123456789abcdef0123456789abcdef").unwrap()
}

fn call(n: u64) -> AuditEvent {
    let args = CanonicalJson::from_serialize(&serde_json::json!({"canary": n})).unwrap();
    AuditEvent::Call(Box::new(CallEvent {
        client_id: "agent-7".parse().unwrap(),
        key_id: "k1".parse().unwrap(),
        nonce: format!("nonce-{n:018}").parse().unwrap(),
        request_id: format!("r-{n}").parse().unwrap(),
        tool: "batch_sum".parse().unwrap(),
        args: key().digest_args(&args),
        result: (!n.is_multiple_of(3)).then(|| key().digest_result(&args)),
        verdict: if n.is_multiple_of(3) { Verdict::Error } else { Verdict::Ok },
        code: n.is_multiple_of(3).then(|| "invalid_args".to_owned()),
        job_id: None,
        duration_us: 41 + n,
        withheld: n.is_multiple_of(7),
    }))
}

fn head(file: u64) -> AuditEvent {
    AuditEvent::Head { file, server_id: "sums.example".parse().unwrap() }
}

type Lines = Vec<Vec<u8>>;

/// Files of a log with so many calls each.
fn files(calls: &[u64]) -> Vec<Lines> {
    let mut chain = Chain::new(key());
    let mut n = 0;
    let mut write = |event: &AuditEvent| {
        let mut line = Vec::new();
        chain.append(1_790_000_000_000 + n as i64, event, &mut line).unwrap();
        n += 1;
        line
    };
    let last = calls.len();
    let mut number = 0;
    calls
        .iter()
        .zip(1..)
        .map(|(calls, file)| {
            let mut lines = vec![write(&head(file))];
            for _ in 0..*calls {
                number += 1;
                lines.push(write(&call(number)));
            }
            lines.push(write(if file as usize == last {
                &AuditEvent::Stop
            } else {
                &AuditEvent::Foot
            }));
            lines
        })
        .collect()
}

fn verify(
    key: Option<AuditKey>,
    anchor: Option<Tip>,
    files: &[Lines],
) -> Result<AuditSummary, (usize, AuditFault)> {
    let mut verifier = Verifier::new(key);
    if let Some(anchor) = anchor {
        verifier = verifier.with_anchor(anchor);
    }
    for (at, lines) in files.iter().enumerate() {
        verifier.begin_file().map_err(|fault| (at - 1, fault))?;
        for line in lines {
            verifier.line(line).map_err(|fault| (at, fault))?;
        }
    }
    verifier.finish().map_err(|fault| (files.len() - 1, fault))
}

#[test]
fn a_log_of_several_files_verifies() {
    let files = files(&[5, 0, 3]);
    for key in [Some(key()), None] {
        let summary = verify(key, None, &files).unwrap();
        assert_eq!((summary.lines, summary.calls, summary.first_seq), (14, 8, 1));
        assert!(summary.stopped && summary.torn_bytes == 0);
        assert_eq!(summary.tip.unwrap().seq, 14);
    }
    // Later files alone are a part of a log, and say so.
    assert_eq!(verify(Some(key()), None, &files[1..]).unwrap().first_seq, 8);
    // A file that is left out, or out of order, is missed.
    let (at, fault) = verify(Some(key()), None, &[files[0].clone(), files[2].clone()]).unwrap_err();
    assert_eq!((at, fault.line), (1, 1));
    assert_eq!(fault.kind, FaultKind::OutOfOrder { due: 8, found: 10 });
    verify(Some(key()), None, &[files[1].clone(), files[0].clone()]).unwrap_err();
}

#[test]
fn a_line_has_no_arguments_and_is_one_line() {
    let log = files(&[40]).concat();
    for line in &log {
        let text = std::str::from_utf8(line).unwrap();
        assert!(!text.contains("canary") && text.matches('\n').count() == 1, "{text}");
        waxwing_core::canonical::check(text.trim_end().as_bytes(), &<_>::default()).unwrap();
    }
}

/// What somebody may do to a log. Places are taken modulo what there is.
#[derive(Clone, Debug)]
enum Edit {
    Flip(usize, u8),
    Drop(usize),
    Repeat(usize, usize),
    Swap(usize, usize),
    Insert(usize, Vec<u8>),
}

fn edits() -> impl Strategy<Value = Edit> {
    let place = || any::<usize>();
    prop_oneof![
        (place(), 0_u8..8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        place().prop_map(Edit::Drop),
        (place(), place()).prop_map(|(from, to)| Edit::Repeat(from, to)),
        (place(), place()).prop_map(|(a, b)| Edit::Swap(a, b)),
        (place(), prop_oneof![Just(b"{}\n".to_vec()), Just(b"\n".to_vec()), Just(b"x".to_vec())])
            .prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
    ]
}

/// Does it; the first line (from 0) that differs.
fn apply(edit: &Edit, lines: &mut Lines) -> Option<usize> {
    let before = lines.clone();
    let n = lines.len();
    match edit {
        Edit::Flip(at, bit) => {
            let line = &mut lines[at % n];
            // The line end belongs to the line before as much as to the one behind.
            let at = (at / n) % (line.len() - 1);
            line[at] ^= 1 << bit;
        }
        Edit::Drop(at) => _ = lines.remove(at % (n - 1)),
        Edit::Repeat(from, to) => lines.insert(to % (n + 1), before[from % n].clone()),
        Edit::Swap(a, b) => lines.swap(a % n, b % n),
        Edit::Insert(at, bytes) => lines.insert(at % n, bytes.clone()),
    }
    // As a reader would split it.
    let split: Lines =
        lines.concat().split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    *lines = split;
    (*lines != before).then(|| lines.iter().zip(&before).take_while(|(a, b)| a == b).count())
}

proptest! {
    #[test]
    fn every_edit_is_found_where_it_begins(edit in edits(), calls in 3_u64..30) {
        let mut lines = files(&[calls]).remove(0);
        let Some(first) = apply(&edit, &mut lines) else { return Ok(()) };
        let verdict = verify(Some(key()), None, &[lines]);
        match verdict {
            Err((_, fault)) => prop_assert_eq!(fault.line, first as u64 + 1, "{:?}", fault),
            // Only what is behind the last whole line can pass for what a crash left.
            Ok(summary) => {
                prop_assert!(first as u64 >= summary.lines && summary.torn_bytes > 0, "{:?}", edit);
            }
        }
    }

    #[test]
    fn without_the_key_an_edit_before_the_last_line_is_found(edit in edits(), calls in 3_u64..30) {
        let mut lines = files(&[calls]).remove(0);
        let last = lines.len() - 1;
        let Some(first) = apply(&edit, &mut lines) else { return Ok(()) };
        if let Ok(summary) = verify(None, None, &[lines]) {
            prop_assert!(first >= last || summary.torn_bytes > 0, "{:?}", edit);
        }
    }
}

#[test]
fn a_log_written_anew_is_found_with_the_key_only() {
    let mut other = Chain::new(AuditKey::new(b"another key of thirty-two bytes!").unwrap());
    let mut lines = Vec::new();
    for event in [head(1), call(1), AuditEvent::Stop] {
        let mut line = Vec::new();
        other.append(0, &event, &mut line).unwrap();
        lines.push(line);
    }
    assert!(verify(None, None, &[lines.clone()]).is_ok());
    let (_, fault) = verify(Some(key()), None, &[lines]).unwrap_err();
    assert_eq!((fault.line, fault.kind), (1, FaultKind::Changed));
}

#[test]
fn a_tail_that_was_cut_off_is_found_by_an_anchor_or_the_next_file() {
    let files = files(&[5, 2]);
    let tip = verify(Some(key()), None, &files).unwrap().tip.unwrap();
    let mut cut = files.clone();
    cut[1].truncate(2);
    // By itself a shorter log is a whole log; that it does not say `stop` is all there is to see.
    assert!(!verify(Some(key()), None, &cut).unwrap().stopped);
    let (_, fault) = verify(Some(key()), Some(tip.clone()), &cut).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Anchor { seq: tip.seq });
    assert!(verify(Some(key()), Some(tip), &files).is_ok());
    let mut cut = files;
    cut[0].truncate(4);
    let (at, fault) = verify(Some(key()), None, &cut).unwrap_err();
    assert_eq!((at, fault.line), (1, 1));
    assert!(matches!(fault.kind, FaultKind::OutOfOrder { .. }));
}

/// A log in whose middle a crash left bytes: they are known of, and only they.
#[test]
fn what_a_crash_left_is_told_from_what_somebody_did() {
    let mut chain = Chain::new(key());
    let mut next = |event: &AuditEvent| {
        let mut line = Vec::new();
        chain.append(0, event, &mut line).unwrap();
        line
    };
    let mut lines = vec![next(&head(1)), next(&call(1))];
    let torn: &[&[u8]] = &[b"\0\0\0\n", b"{\"args\":\"12\n"];
    let mut reader = Verifier::new(Some(key()));
    reader.begin_file().unwrap();
    for line in lines.iter().map(Vec::as_slice).chain(torn.iter().copied()) {
        reader.line(line).unwrap();
    }
    let Leftover { bytes, sha256 } = reader.leftover().unwrap();
    assert_eq!(bytes, 16);
    lines.extend(torn.iter().map(|line| line.to_vec()));
    // Before the next start it is the end of the log.
    assert_eq!(verify(Some(key()), None, &[lines.clone()]).unwrap().torn_bytes, 16);
    lines.push(next(&AuditEvent::Mended { bytes, sha256 }));
    lines.push(next(&call(2)));
    let summary = verify(Some(key()), None, &[lines.clone()]).unwrap();
    assert_eq!((summary.lines, summary.mended, summary.torn_bytes), (4, 1, 0));

    let mut changed = lines.clone();
    changed[3][2] ^= 1;
    let (_, fault) = verify(Some(key()), None, &[changed]).unwrap_err();
    assert_eq!((fault.line, fault.kind), (3, FaultKind::Unreadable));
    let mut without_mark = lines.clone();
    without_mark.remove(4);
    assert_eq!(verify(Some(key()), None, &[without_mark]).unwrap_err().1.line, 3);
    // A mark without anything to mark is nothing that was written.
    let mut nothing_torn = lines;
    nothing_torn.drain(2..4);
    let (_, fault) = verify(Some(key()), None, &[nothing_torn]).unwrap_err();
    assert_eq!((fault.line, fault.kind), (3, FaultKind::Misplaced));
}

/// Each kind of line reads back as it was written, and every member of it is under the MAC.
#[test]
fn every_kind_of_line_reads_back() {
    let job = |verdict, code: Option<&str>, result| {
        AuditEvent::Job(Box::new(JobEvent {
            job_id: "j-1".parse().unwrap(),
            client_id: "agent-7".parse().unwrap(),
            tool: "batch_sum".parse().unwrap(),
            verdict,
            code: code.map(str::to_owned),
            result,
        }))
    };
    let events = [
        head(1),
        AuditEvent::Start,
        call(1),
        job(Verdict::Done, None, Some(AuditDigest::sha256(b"7"))),
        job(Verdict::Error, Some("job_failed"), None),
        job(Verdict::Cancelled, None, None),
        AuditEvent::Refusals { counts: [("malformed".to_owned(), 2)].into() },
        AuditEvent::Stop,
    ];
    let (mut chain, mut log) = (Chain::new(key()), Vec::new());
    for event in &events {
        chain.append(1_790_000_000_000, event, &mut log).unwrap();
    }
    let read = |log: &[u8]| {
        let mut verifier = Verifier::new(Some(key()));
        verifier.begin_file().unwrap();
        log.split_inclusive(|byte| *byte == b'\n').try_for_each(|line| verifier.line(line))?;
        verifier.finish()
    };
    assert_eq!(read(&log).unwrap().lines, events.len() as u64);
    let text = String::from_utf8(log).unwrap();
    for (from, to) in [
        ("job_failed", "job_faster"),
        ("\"verdict\":\"cancelled\"", "\"verdict\":\"done\""),
        ("\"job_id\":\"j-1\"", "\"job_id\":\"j-2\""),
        ("\"malformed\":2", "\"malformed\":1"),
    ] {
        assert!(text.contains(from), "{text}");
        read(text.replacen(from, to, 1).as_bytes()).unwrap_err();
    }
}

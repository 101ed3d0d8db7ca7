//! `waxwing audit`: whether a log is as it was written, and what its digests stand for.

use std::io::Read as _;
use std::path::Path;

use serde_json::json;
use waxwing_core::{CanonicalJson, Limits};
use waxwing_crypto::audit::{AuditDigest, AuditFault, Tip, Verifier};

use crate::audit::{AuditKeyFile, LastLine, ReadFault, default_key, feed};
use crate::cli::{AuditArgs, AuditCommand, AuditDigestArgs, AuditVerifyArgs};
use crate::exit::{Exit, Failure, with_sources};
use crate::{output, terminal};

pub(super) fn run(args: AuditArgs) -> Result<(), Failure> {
    match args.command {
        AuditCommand::Verify(args) => verify(&args),
        AuditCommand::Digest(args) => digest(&args),
    }
}

fn verify(args: &AuditVerifyArgs) -> Result<(), Failure> {
    let key = match (&args.key, args.files.first().map(|file| default_key(file))) {
        (Some(path), _) => Some(read_key(path)?),
        (None, Some(path)) if path.exists() => Some(read_key(&path)?),
        _ => None,
    };
    let is_keyed = key.is_some();
    if !is_keyed {
        terminal::note(
            "without its key (--key) the log is held to its chain alone: somebody who wrote all of \
             its end anew is not found out",
        );
    }
    let mut verifier = Verifier::new(key.map(|file| file.key));
    if let Some(anchor) = &args.anchor {
        verifier = verifier.with_anchor(parse_anchor(anchor)?);
    }
    let mut before: Option<&Path> = None;
    for path in &args.files {
        feed(&mut verifier, path, LastLine::AsItIs).map_err(|fault| match (fault, before) {
            (ReadFault::Io(error), _) => {
                Failure::usage(format!("{} cannot be read: {error}", path.display()))
            }
            (ReadFault::Before(fault), Some(before)) => found(before, &fault),
            (ReadFault::Here(fault) | ReadFault::Before(fault), _) => found(path, &fault),
        })?;
        before = Some(path.as_path());
    }
    let last = before.unwrap_or(Path::new(""));
    let summary = verifier.finish().map_err(|fault| found(last, &fault))?;
    if summary.first_seq > 1 {
        terminal::note(&format!(
            "the log begins with line number {}: the files before it were not given",
            summary.first_seq
        ));
    }
    if summary.torn_bytes > 0 {
        terminal::note("the last line is not whole: the server writes it now, or crashed over it");
    }
    let anchor = summary.tip.as_ref().map(|tip| format!("{}:{}", tip.seq, tip.sha256.as_str()));
    output::print(&json!({
        "anchor": anchor,
        "calls": summary.calls,
        "files": args.files.len(),
        "first_seq": summary.first_seq,
        "keyed": is_keyed,
        "lines": summary.lines,
        "mended": summary.mended,
        "stopped": summary.stopped,
        "torn_bytes": summary.torn_bytes,
    }))
}

fn found(path: &Path, fault: &AuditFault) -> Failure {
    Failure::new(Exit::NotAllowed, format!("{}: {fault}", path.display()))
}

fn read_key(path: &Path) -> Result<AuditKeyFile, Failure> {
    AuditKeyFile::read(path).map_err(|error| Failure::usage(with_sources(&error)))
}

fn parse_anchor(text: &str) -> Result<Tip, Failure> {
    let parts = text.split_once(':').and_then(|(seq, digest)| {
        Some(Tip { seq: seq.parse().ok()?, sha256: AuditDigest::try_from(digest.to_owned()).ok()? })
    });
    parts.ok_or_else(|| Failure::usage("an anchor is SEQ:SHA256, as `audit verify` prints it"))
}

fn digest(args: &AuditDigestArgs) -> Result<(), Failure> {
    let key = read_key(&args.key)?.key;
    let (mut text, most) = (Vec::new(), Limits::DEFAULT.max_message() as u64);
    std::io::stdin()
        .take(most + 1)
        .read_to_end(&mut text)
        .map_err(|error| Failure::usage(format!("stdin cannot be read: {error}")))?;
    let value = CanonicalJson::read(&text, &Limits::DEFAULT)
        .map_err(|error| Failure::usage(format!("stdin: {error}")))?;
    let digest = match args.result {
        true => key.digest_result(&value),
        false => key.digest_args(&value),
    };
    output::print(&json!({ "digest": digest.as_str() }))
}

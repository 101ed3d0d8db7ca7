//! The file through restarts, crashes, rotation and other people's hands.

use tempfile::TempDir;
use waxwing_crypto::audit::AuditSummary;

use super::*;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    fn open(&self, rotate_bytes: u64) -> Result<AuditFile, AuditError> {
        let key = names::default_key(&self.path());
        AuditFile::open(&self.path(), &key, rotate_bytes, "sums.example".parse().unwrap())
            .map(|(file, _)| file)
    }

    fn files(&self) -> Vec<PathBuf> {
        let last = names::last_full(&self.path()).unwrap();
        (1..=last).map(|n| names::full(&self.path(), n)).chain([self.path()]).collect()
    }

    fn verify(&self) -> Result<AuditSummary, String> {
        let key = AuditKeyFile::read(&names::default_key(&self.path())).unwrap().key;
        let mut verifier = Verifier::new(Some(key));
        for path in self.files() {
            feed(&mut verifier, &path, LastLine::AsItIs).map_err(|fault| format!("{fault:?}"))?;
        }
        verifier.finish().map_err(|fault| fault.to_string())
    }

    fn text(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }
}

fn start() -> Vec<TimedEvent> {
    vec![TimedEvent { ts_ms: now_ms(), event: AuditEvent::Start }]
}

#[test]
fn a_restart_goes_on_with_the_chain() {
    let place = Place::new();
    for n in 0..3 {
        place.open(1 << 20).unwrap().append(&start()).unwrap();
        assert_eq!(place.verify().unwrap().lines, n + 2);
    }
    let summary = place.verify().unwrap();
    assert_eq!((summary.first_seq, summary.mended), (1, 0));
    #[cfg(unix)]
    for path in [place.path(), names::default_key(&place.path())] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn two_processes_do_not_write_one_log() {
    let place = Place::new();
    let _first = place.open(1 << 20).unwrap();
    assert!(matches!(place.open(1 << 20), Err(AuditError::Taken { .. })));
}

#[test]
fn a_torn_tail_of_any_length_is_mended() {
    let place = Place::new();
    let mut log = place.open(1 << 20).unwrap();
    log.append(&start()).unwrap();
    let before = place.text();
    log.append(&start()).unwrap();
    drop(log);
    let whole = place.text();
    for cut in before.len()..=whole.len() {
        fs::write(place.path(), &whole[..cut]).unwrap();
        let torn = cut > before.len() && cut < whole.len() - 1;
        assert_eq!(place.verify().unwrap().torn_bytes > 0, cut > before.len() && cut < whole.len());
        place.open(1 << 20).unwrap().append(&start()).unwrap();
        let summary = place.verify().unwrap();
        assert_eq!((summary.mended, summary.torn_bytes), (u64::from(torn), 0), "at {cut}");
        assert!(place.text().starts_with(&whole[..cut]), "nothing was taken away");
    }
    // What a power cut may leave where blocks were not written.
    fs::write(place.path(), [&before[..], &[0; 700], b"\n\0\0"].concat()).unwrap();
    place.open(1 << 20).unwrap().append(&start()).unwrap();
    assert_eq!(place.verify().unwrap().mended, 1);
}

#[test]
fn what_somebody_changed_keeps_the_server_from_starting() {
    let place = Place::new();
    let mut log = place.open(1 << 20).unwrap();
    for _ in 0..5 {
        log.append(&start()).unwrap();
    }
    drop(log);
    let whole = place.text();
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let mut flipped = whole.clone();
    flipped[lines[0].len() + 30] ^= 1;
    let dropped = [&lines[..2], &lines[3..]].concat().concat();
    let swapped = [lines[0], lines[2], lines[1], lines[3]].concat();
    for changed in [flipped, dropped, swapped] {
        fs::write(place.path(), changed).unwrap();
        let error = place.open(1 << 20).unwrap_err();
        assert!(matches!(error, AuditError::Changed { .. }), "{error}");
    }
}

#[test]
fn full_files_are_set_aside_and_the_chain_goes_on() {
    let place = Place::new();
    let mut log = place.open(1_000).unwrap();
    for _ in 0..20 {
        log.append(&start()).unwrap();
    }
    drop(log);
    assert!(place.files().len() > 3, "{:?}", place.files());
    assert_eq!(place.verify().unwrap().first_seq, 1);
    // The current file is gone, as after a crash between two files: the next goes on behind the last.
    let lines = place.verify().unwrap().lines;
    let last = place.text().iter().filter(|byte| **byte == b'\n').count() as u64;
    fs::remove_file(place.path()).unwrap();
    place.open(1_000).unwrap().append(&start()).unwrap();
    assert_eq!(place.verify().unwrap().lines, lines - last + 2);
}

/// A crash after the foot and before the next file.
#[test]
fn a_rotation_that_was_cut_short_is_ended() {
    let place = Place::new();
    let mut log = place.open(1 << 20).unwrap();
    log.append(&start()).unwrap();
    log.put(&[(now_ms(), &AuditEvent::Foot)]).unwrap();
    drop(log);
    fs::write(names::unborn(&place.path()), "half a he").unwrap();
    place.open(1 << 20).unwrap().append(&start()).unwrap();
    assert_eq!(place.files().len(), 2);
    assert_eq!(place.verify().unwrap().lines, 5);
}

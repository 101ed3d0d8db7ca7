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

/// Files that were set aside are moved away: the next ones have other names, and nothing is overwritten.
#[test]
fn a_name_is_used_once() {
    let place = Place::new();
    let fill = || {
        let mut log = place.open(1_000).unwrap();
        for _ in 0..20 {
            log.append(&start()).unwrap();
        }
    };
    fill();
    let first = names::last_full(&place.path()).unwrap();
    assert!(first > 1);
    let moved: Vec<_> = (1..=first).map(|n| names::full(&place.path(), n)).collect();
    moved.iter().for_each(|path| fs::remove_file(path).unwrap());
    fill();
    assert!(moved.iter().all(|path| !path.exists()));
    assert!(names::last_full(&place.path()).unwrap() > first);
}

#[test]
fn what_is_in_the_way_is_not_overwritten() {
    let place = Place::new();
    let mut log = place.open(1_000).unwrap();
    let full = names::full(&place.path(), 1);
    fs::write(&full, "somebody else's").unwrap();
    let mut last = Ok(());
    for _ in 0..8 {
        last = log.append(&start());
    }
    assert_eq!(last.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&full).unwrap(), b"somebody else's");
    // Out of the way, it goes on where it was.
    fs::remove_file(&full).unwrap();
    log.append(&start()).unwrap();
    place.verify().unwrap();
}

#[cfg(unix)]
#[test]
fn what_a_crash_left_lends_no_mode_to_the_next_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let unborn = names::unborn(&place.path());
    fs::write(&unborn, "half a he").unwrap();
    fs::set_permissions(&unborn, fs::Permissions::from_mode(0o644)).unwrap();
    place.open(1 << 20).unwrap();
    assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
}

/// A key is there whole or not at all, and a fresh one leaves nothing beside it.
#[test]
fn a_key_is_made_in_one_piece() {
    let place = Place::new();
    let path = names::default_key(&place.path());
    drop(AuditKeyFile::claim(&path).unwrap());
    let text = fs::read(&path).unwrap();
    drop(AuditKeyFile::claim(&path).unwrap());
    assert_eq!(fs::read(&path).unwrap(), text);
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 1);
}

/// Somebody moves the log away under the server: it goes on in the next file, behind the same line. What
/// was deleted is missed, and nothing is written where another file stands.
#[test]
fn a_log_that_is_taken_away_goes_on_in_the_next_file() {
    let place = Place::new();
    let mut log = place.open(1 << 20).unwrap();
    log.append(&start()).unwrap();
    fs::rename(place.path(), names::full(&place.path(), 1)).unwrap();
    log.append(&start()).unwrap();
    assert_eq!(place.verify().unwrap().lines, 4);

    fs::remove_file(place.path()).unwrap();
    log.append(&start()).unwrap();
    assert!(place.verify().unwrap_err().contains("OutOfOrder"), "two lines are missing");

    let moved = place.folder.path().join("elsewhere");
    fs::rename(place.path(), moved).unwrap();
    fs::write(place.path(), "").unwrap();
    assert_eq!(log.append(&start()).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(place.text(), b"");
    fs::remove_file(place.path()).unwrap();
    log.append(&start()).unwrap();
    assert!(!place.text().is_empty());
}

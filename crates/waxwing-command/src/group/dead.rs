//! Tells a group whose processes are all dead from one that lives. The dead keep their group until
//! their parent has waited for them, and the first process of many a container waits late or never.

use std::fs;

use rustix::process::Pid;

/// Whether processes of the group are there and all of them are dead. Never, where there is no
/// `/proc` to look into.
pub(super) fn is_dead(group: Pid) -> bool {
    let group = group.as_raw_nonzero().to_string();
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    let mut states = processes
        .map_while(Result::ok)
        .filter(|entry| {
            entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit)
        })
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter_map(|stat| state_within(&stat, &group))
        .peekable();
    states.peek().is_some() && states.all(|state| state == State::Dead)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Alive,
    Dead,
}

/// The state in a line of `/proc/PID/stat`, if the process is of the group.
fn state_within(stat: &str, group: &str) -> Option<State> {
    // The name before may hold anything, spaces and parentheses included.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let (state, _parent, own_group) = (fields.next()?, fields.next()?, fields.next()?);
    (own_group == group).then_some(match state {
        "Z" | "X" | "x" => State::Dead,
        _ => State::Alive,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_stat() {
        for (line, state) in [
            ("71 (sh) S 1 70 70 0 -1", Some(State::Alive)),
            ("71 (a) Z 1 (b) Z 1 70 70 0", Some(State::Dead)),
            ("71 (x) Z 1 7 70 0", None),
            ("71 (cut", None),
            ("71 (cut) R", None),
            ("", None),
        ] {
            assert_eq!(state_within(line, "70"), state, "{line}");
        }
    }

    #[test]
    fn a_living_group_and_none() {
        assert!(!is_dead(rustix::process::getpgrp()));
        assert!(!is_dead(Pid::from_raw(i32::MAX).unwrap()));
    }
}

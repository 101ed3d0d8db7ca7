//! What this process is called in an operator's list, and the seed of its jitter: unlike those of any other
//! process, in containers too, where every replica may have the same process id.

use crate::exit::Failure;

/// Characters of a host's name that are shown.
const LONGEST_HOST: usize = 64;

/// A name for people, `HOST-PID-XXXX`, and a random number.
pub(crate) fn identity() -> Result<(String, u64), Failure> {
    let no_bytes =
        |error| Failure::usage(format!("no random bytes for the worker's name: {error}"));
    let (seed, tail) = (getrandom::u64().map_err(no_bytes)?, getrandom::u32().map_err(no_bytes)?);
    let host: String = host().chars().filter(|c| !c.is_control()).take(LONGEST_HOST).collect();
    let host = if host.is_empty() { "waxwing" } else { &host };
    Ok((format!("{host}-{}-{:04x}", std::process::id(), tail & 0xffff), seed))
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same_although_the_process_is() {
        let (one, two) = (identity().unwrap(), identity().unwrap());
        assert_ne!(one.1, two.1);
        assert!(one.0.contains(&format!("-{}-", std::process::id())), "{}", one.0);
        let tail = one.0.rsplit('-').next().unwrap();
        assert!(tail.len() == 4 && u16::from_str_radix(tail, 16).is_ok(), "{}", one.0);
    }
}

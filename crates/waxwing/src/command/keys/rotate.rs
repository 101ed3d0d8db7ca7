//! `waxwing keys rotate`: one more key for a client. The server knows both before the client uses the new
//! one and until the old one has ended, so no call fails.

use std::path::Path;

use serde_json::json;
use waxwing_core::{ClientId, KeyId};
use waxwing_crypto::{KeyState, Validity};

use super::super::keygen::{fresh, server_public};
use super::{print_new, unknown};
use crate::cli::KeysRotateArgs;
use crate::config::client::{Profile, ProfileKey};
use crate::config::halves::{NewKey, ServerHalf};
use crate::config::keyring::{self, KeyEntry};
use crate::config::lifetime::Moment;
use crate::config::{Algorithm, ConfigError};
use crate::exit::Failure;
use crate::{output, terminal};

pub(super) fn run(args: KeysRotateArgs) -> Result<(), Failure> {
    if args.activate_after >= args.retire_after {
        let text =
            "--activate-after must be shorter than --retire-after: in between no key would sign";
        return Err(Failure::usage(text));
    }
    let keyring_path = args.keyring.keyring.clone();
    let now = Moment::now();
    // Whatever can be wrong is looked for before anything is written.
    let plan = plan(&args, now)?;
    let made = match (&args.public_key, plan.algorithm) {
        (Some(_), _) => None,
        (None, algorithm) => Some(fresh(algorithm)?),
    };
    let server = server_public(args.server_key.clone(), Some(&keyring_path), plan.algorithm)?;
    let newest = args.profile.as_deref().zip(made.as_ref());
    let newest = newest.map(|(path, key)| {
        let half = key.client_half(server.as_ref()).ok_or_else(|| {
            Failure::usage(
                "with ed25519 a profile needs the server's public key: give --server-key",
            )
        })?;
        let from = now.after(args.activate_after).ms();
        let validity = Validity::new(Some(from), None).unwrap_or(Validity::ALWAYS);
        let mut newest = ProfileKey::new(plan.new_id.clone(), half);
        newest.validity = validity;
        Ok::<_, Failure>((path, newest))
    });
    let newest = newest.transpose()?;
    let half = match (&made, args.public_key.clone()) {
        (Some(key), _) => key.server_half(),
        (None, Some(public)) => ServerHalf::Ed25519(public),
        (None, None) => return Err(Failure::usage("there is no new key")),
    };
    let retiring =
        rotate_keyring(&keyring_path, &args.client, &plan, half, now, args.retire_after)?;
    let Some((path, newest)) = newest else {
        return told(&args.client, &plan, made.as_ref(), server.as_ref(), retiring);
    };
    if let Err(error) = Profile::rotate(path, &plan.old_id, retiring, &newest) {
        // The server knows the key by now: it must not be lost with the profile.
        if let Some(made) = &made {
            print_new(&args.client, &plan.new_id, made, server.as_ref())?;
        }
        return Err(error.into());
    }
    told_of_profile(&args.client, &plan, path, &newest, retiring)
}

/// What is to be done.
struct Plan {
    old_id: KeyId<'static>,
    new_id: KeyId<'static>,
    algorithm: Algorithm,
}

fn plan(args: &KeysRotateArgs, now: Moment) -> Result<Plan, Failure> {
    let path = &args.keyring.keyring;
    let plan = keyring::change(path, |entries| {
        let old = old_key(path, entries, &args.client, args.key_id.as_ref(), now)?;
        let new_id = match &args.new_key_id {
            Some(new_id) => new_id.clone(),
            None => next_id(entries, &args.client, &old.key_id)
                .ok_or_else(|| ConfigError::value(path, "give the new key a name: --new-key-id"))?,
        };
        keyring::refuse_twice(path, entries, &args.client, &new_id)?;
        let given = args.public_key.as_ref().map(|_| Algorithm::Ed25519);
        let algorithm = given.or(args.algorithm).unwrap_or(old.half.algorithm());
        Ok((Plan { old_id: old.key_id.clone(), new_id, algorithm }, Vec::new()))
    })?;
    if let Some(path) = &args.profile {
        let profile = Profile::read(path)?;
        let knows = profile.keys.iter().any(|key| key.key_id == plan.old_id);
        if profile.client_id != args.client || !knows {
            let text = format!("it has no key {} of {}", plan.old_id, args.client);
            return Err(ConfigError::value(path, text).into());
        }
        if profile.keys.iter().any(|key| key.key_id == plan.new_id) {
            let text = format!("key {} is there already; choose another --new-key-id", plan.new_id);
            return Err(ConfigError::value(path, text).into());
        }
    }
    Ok(plan)
}

/// The key that is named, or the newest that a client may sign with; neither revoked nor over.
fn old_key<'e>(
    path: &Path,
    entries: &'e [KeyEntry],
    client: &ClientId<'_>,
    key_id: Option<&KeyId<'_>>,
    now: Moment,
) -> Result<&'e KeyEntry, ConfigError> {
    let lives = |entry: &&KeyEntry| {
        let until = entry.validity.not_after();
        entry.state != KeyState::Revoked && until.is_none_or(|until| now.ms() < until)
    };
    let mut of_client = entries.iter().filter(|entry| entry.client_id.as_str() == client.as_str());
    let old = match key_id {
        Some(key_id) => of_client.find(|entry| entry.is(client, key_id)),
        None => of_client.rev().filter(lives).find(|entry| entry.state == KeyState::Active),
    };
    let old = old.ok_or_else(|| unknown(path, entries, client, key_id))?;
    if !lives(&old) {
        let text = format!(
            "key {} of {client} verifies nothing any more, so there is nothing to rotate; \
             `waxwing keygen` makes a new key",
            old.key_id
        );
        return Err(ConfigError::value(path, text));
    }
    Ok(old)
}

/// The old name with its number, or 1, counted up to one that is free.
fn next_id(entries: &[KeyEntry], client: &ClientId<'_>, old: &KeyId<'_>) -> Option<KeyId<'static>> {
    let stem = old.as_str().trim_end_matches(|c: char| c.is_ascii_digit());
    let number: u32 = match old.as_str().get(stem.len()..) {
        Some("") | None => 1,
        Some(digits) => digits.parse().ok()?,
    };
    // One of so many more numbers than there are keys is free.
    let most = u32::try_from(entries.len()).ok()?.checked_add(1)?;
    let names = (1..=most).filter_map(|more| {
        let number = number.checked_add(more)?;
        format!("{stem}{number}").parse::<KeyId<'static>>().ok()
    });
    let is_free = |id: &KeyId<'static>| !entries.iter().any(|entry| entry.is(client, id));
    names.into_iter().find(is_free)
}

/// Adds the new key and lets the old one retire, in one step; the old one's time.
fn rotate_keyring(
    path: &Path,
    client: &ClientId<'static>,
    plan: &Plan,
    half: ServerHalf,
    now: Moment,
    retire_after: std::time::Duration,
) -> Result<Validity, ConfigError> {
    keyring::change(path, |entries| {
        // The file may have changed since it was looked at.
        let mut old = old_key(path, entries, client, Some(&plan.old_id), now)?.clone();
        keyring::refuse_twice(path, entries, client, &plan.new_id)?;
        let end = now.after(retire_after).ms();
        let end = old.validity.not_after().map_or(end, |sooner| sooner.min(end));
        let from = old.validity.not_before().filter(|from| *from < end);
        old.validity = Validity::new(from, Some(end))
            .map_err(|never| ConfigError::value(path, never.to_string()))?;
        old.state = KeyState::Retiring;
        let validity = old.validity;
        let newest = KeyEntry::new(client.clone(), plan.new_id.clone(), half);
        Ok((validity, vec![old, newest]))
    })
}

fn told(
    client: &ClientId<'_>,
    plan: &Plan,
    made: Option<&NewKey>,
    server: Option<&crate::config::PublicKey>,
    retiring: Validity,
) -> Result<(), Failure> {
    match made {
        Some(made) => print_new(client, &plan.new_id, made, server)?,
        None => output::print(&json!({ "client_id": client, "key_id": plan.new_id }))?,
    }
    terminal::note(&format!(
        "both keys verify until {}; until then {client} must begin to sign with {}",
        end(retiring),
        plan.new_id,
    ));
    Ok(())
}

fn told_of_profile(
    client: &ClientId<'_>,
    plan: &Plan,
    path: &Path,
    newest: &ProfileKey,
    retiring: Validity,
) -> Result<(), Failure> {
    output::print(&json!({
        "algorithm": plan.algorithm,
        "client_id": client,
        "key_id": plan.new_id,
        "written": path.display().to_string(),
    }))?;
    let begins = newest.validity.not_before().map_or_else(Moment::now, Moment::of_ms);
    terminal::note(&format!(
        "{client} signs with {} from {begins}; {} verifies until {}",
        plan.new_id,
        plan.old_id,
        end(retiring),
    ));
    Ok(())
}

fn end(validity: Validity) -> String {
    validity.not_after().map_or_else(String::new, |ms| Moment::of_ms(ms).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_name_counts_up_to_one_that_is_free() {
        let half = || fresh(Algorithm::HmacSha256).unwrap().server_half();
        let entry = |client: &str, id: &str| {
            KeyEntry::new(client.parse().unwrap(), id.parse().unwrap(), half())
        };
        let entries = [entry("a", "k1"), entry("a", "k2"), entry("b", "k3"), entry("a", "main")];
        let next = |id: &str| {
            let next = next_id(&entries, &"a".parse().unwrap(), &id.parse().unwrap());
            next.map(|id| id.as_str().to_owned())
        };
        assert_eq!(next("k1").as_deref(), Some("k3"));
        assert_eq!(next("main").as_deref(), Some("main2"));
        assert_eq!(next("2026-12").as_deref(), Some("2026-13"));
        assert_eq!(next("k4294967295"), None);
        assert_eq!(next(&"k".repeat(128)), None);
    }
}

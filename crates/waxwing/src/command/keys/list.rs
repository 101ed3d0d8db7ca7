//! `waxwing keys list`: the keys of a keyring, without anything secret.

use serde_json::json;

use crate::cli::KeysListArgs;
use crate::config::keyring::{self, KeySummary};
use crate::config::lifetime::Moment;
use crate::exit::Failure;
use crate::output;
use crate::table::Table;

const HEAD: [&str; 7] =
    ["CLIENT", "KEY", "ALGORITHM", "STATE", "NOT BEFORE", "NOT AFTER", "FINGERPRINT"];

pub(super) fn run(args: &KeysListArgs) -> Result<(), Failure> {
    let keys = keyring::list(&args.keyring.keyring)?;
    output::print_or_table(&json!({ "keys": keys }), || table(&keys, Moment::now()))
}

fn table(keys: &[KeySummary], now: Moment) -> Table {
    let mut table = Table::new(&HEAD);
    for key in keys {
        let moment = |moment: Option<Moment>| moment.map_or_else(String::new, |it| it.to_string());
        table.row([
            key.client_id.as_str(),
            key.key_id.as_str(),
            key.algorithm,
            &state(key, now),
            &moment(key.not_before),
            &moment(key.not_after),
            &key.fingerprint,
        ]);
    }
    table
}

/// The state, and whether the clock has something to say about it.
fn state(key: &KeySummary, now: Moment) -> String {
    let early = key.not_before.is_some_and(|from| now < from);
    let late = key.not_after.is_some_and(|until| until <= now);
    match (key.state, early, late) {
        ("revoked", ..) | (_, false, false) => key.state.to_owned(),
        (state, true, _) => format!("{state}, not yet valid"),
        (state, _, true) => format!("{state}, expired"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Canvas, Paint};

    #[test]
    fn the_table_says_what_the_clock_does_to_a_key() {
        let key = |state, from: Option<i64>, until: Option<i64>| KeySummary {
            client_id: "agent".parse().unwrap(),
            key_id: "k1".parse().unwrap(),
            algorithm: "ed25519",
            state,
            not_before: from.map(Moment::of_ms),
            not_after: until.map(Moment::of_ms),
            fingerprint: "0123456789abcdef".to_owned(),
        };
        let now = Moment::of_ms(20_000);
        for (key, shown) in [
            (key("active", None, None), "active"),
            (key("active", Some(20_000), Some(20_001)), "active"),
            (key("active", Some(20_001), None), "active, not yet valid"),
            (key("retiring", None, Some(20_000)), "retiring, expired"),
            (key("revoked", None, Some(20_000)), "revoked"),
        ] {
            assert_eq!(state(&key, now), shown);
            let canvas = Canvas { width: None, paint: Paint::Plain };
            let text = table(&[key], now).render(canvas);
            assert!(text.starts_with("CLIENT") && text.contains("0123456789abcdef"), "{text}");
        }
    }
}

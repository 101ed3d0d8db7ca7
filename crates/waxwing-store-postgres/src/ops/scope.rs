//! The numbers that stand for a (server, client, key) in the tables of nonces.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio_postgres::types::Type;
use waxwing_jobs::{NonceRecord, StoreError};

use super::Core;
use crate::error::Error;
use crate::row::get;

/// The most of them that are remembered.
pub(super) const MOST: usize = 100_000;

/// Those that are remembered; they never change.
#[derive(Debug)]
pub(super) struct Scopes {
    known: Mutex<HashMap<String, i64>>,
    most: usize,
}

impl Default for Scopes {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl Scopes {
    pub(super) fn of(most: usize) -> Self {
        Self { known: Mutex::default(), most }
    }

    fn remember(&self, numbers: &HashMap<String, i64>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.most {
            known.clear();
        }
        known.extend(numbers.iter().map(|(name, number)| (name.clone(), *number)));
    }
}

fn name(server: &str, client: &str, key: &str) -> String {
    format!("{server}\n{client}\n{key}")
}

impl Core {
    /// The number of each record's scope, made where there was none.
    pub(super) async fn scopes(&self, records: &[&NonceRecord]) -> Result<Vec<i64>, Error> {
        let of = |r: &NonceRecord| name(r.server.as_str(), r.client.as_str(), r.key.as_str());
        let names: Vec<String> = records.iter().map(|record| of(record)).collect();
        let mut numbers = HashMap::new();
        let mut unknown = HashMap::new();
        {
            let known = self.scopes.known.lock().unwrap_or_else(PoisonError::into_inner);
            for (name, record) in names.iter().zip(records) {
                match known.get(name) {
                    Some(number) => drop(numbers.insert(name.clone(), *number)),
                    None => drop(unknown.insert(name.as_str(), *record)),
                }
            }
        }
        if !unknown.is_empty() {
            let found = self.number(&unknown).await?;
            self.scopes.remember(&found);
            numbers.extend(found);
        }
        let lacks = || Error::Store(StoreError::Fault("a nonce's key has no number".to_owned()));
        let number = |name: &String| numbers.get(name).copied().ok_or_else(lacks);
        names.iter().map(number).collect()
    }

    async fn number(
        &self,
        unknown: &HashMap<&str, &NonceRecord>,
    ) -> Result<HashMap<String, i64>, Error> {
        const MAKE: &str = "INSERT INTO @nonce_scopes (server, client, key)
            SELECT * FROM unnest($1, $2, $3) ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING";
        const READ: &str = "SELECT s.server, s.client, s.key, s.scope
            FROM unnest($1, $2, $3) AS n (server, client, key) JOIN @nonce_scopes s
            ON s.server = n.server AND s.client = n.client AND s.key = n.key";
        let servers: Vec<&str> = unknown.values().map(|record| record.server.as_str()).collect();
        let clients: Vec<&str> = unknown.values().map(|record| record.client.as_str()).collect();
        let keys: Vec<&str> = unknown.values().map(|record| record.key.as_str()).collect();
        let text = Type::TEXT_ARRAY;
        let values =
            [(&servers as _, text.clone()), (&clients as _, text.clone()), (&keys as _, text)];
        let mut rows = self.database.ask(READ, &values).await?;
        if rows.len() < unknown.len() {
            self.database.ask(MAKE, &values).await?;
            rows = self.database.ask(READ, &values).await?;
        }
        let named = |row| Ok((name(get(row, 0)?, get(row, 1)?, get(row, 2)?), get(row, 3)?));
        rows.iter().map(named).collect()
    }
}

//! Nonces and idempotency keys: whose they are, what was used, and until when that counts.

use rusqlite::params;
use waxwing_core::ServerId;
use waxwing_jobs::{Admission, Idempotency, NonceRecord, StoreError, millis};

use super::Tx;
use crate::error::Error;
use crate::row::{integer, natural};

/// What an idempotency key stands for.
#[derive(Debug)]
pub(super) struct KeyUse {
    pub(super) digest: Vec<u8>,
    pub(super) job: String,
}

impl Tx<'_> {
    pub(crate) fn admit(&self, record: &NonceRecord) -> Result<Admission, Error> {
        let verdict = self.check(record)?;
        if verdict == Admission::Fresh {
            self.spend(record)?;
        }
        Ok(verdict)
    }

    /// The number of this (server, client, key) and how many of its nonces are kept.
    fn scope(&self, record: &NonceRecord) -> rusqlite::Result<Option<(i64, u64)>> {
        const SQL: &str = "SELECT scope, kept FROM nonce_scopes
            WHERE server = ?1 AND client = ?2 AND key = ?3";
        let scope = [record.server.as_str(), record.client.as_str(), record.key.as_str()];
        self.one(SQL, scope, |row| Ok((row.get(0)?, natural(row, 1)?)))
    }

    /// What spending the nonce would come to.
    pub(super) fn check(&self, record: &NonceRecord) -> Result<Admission, Error> {
        let scope = self.scope(record)?;
        if let Some((scope, _)) = scope {
            const SQL: &str = "SELECT until_ms FROM nonces WHERE scope = ?1 AND nonce = ?2";
            let until =
                self.one(SQL, params![scope, record.nonce.as_str()], |row| natural(row, 0))?;
            if until.is_some_and(|until| self.now < until) {
                return Ok(Admission::Replayed);
            }
        }
        if self.is_full(record)? {
            // Only what still counts may refuse: make sure that nothing else is counted.
            while self.forget_nonces(1000)? > 0 {}
            if self.is_full(record)? {
                return Ok(Admission::Full);
            }
        }
        Ok(Admission::Fresh)
    }

    fn is_full(&self, record: &NonceRecord) -> rusqlite::Result<bool> {
        let of_key = self.scope(record)?.map_or(0, |(_, kept)| kept);
        let all = self.one("SELECT nonces FROM totals", [], |row| natural(row, 0))?;
        Ok(of_key >= self.bounds.nonces_per_key || all.unwrap_or_default() >= self.bounds.nonces)
    }

    pub(super) fn spend(&self, record: &NonceRecord) -> rusqlite::Result<()> {
        let scope = match self.scope(record)? {
            Some((scope, _)) => scope,
            None => {
                const SQL: &str = "INSERT INTO nonce_scopes (server, client, key, kept)
                    VALUES (?1, ?2, ?3, 0)";
                let scope = [record.server.as_str(), record.client.as_str(), record.key.as_str()];
                self.execute(SQL, scope)?;
                self.connection.last_insert_rowid()
            }
        };
        let until = integer(self.now.saturating_add(millis(record.keep)));
        const AGAIN: &str = "UPDATE nonces SET until_ms = ?3 WHERE scope = ?1 AND nonce = ?2";
        let row = params![scope, record.nonce.as_str(), until];
        if self.execute(AGAIN, row)? == 0 {
            const SQL: &str = "INSERT INTO nonces (scope, nonce, until_ms) VALUES (?1, ?2, ?3)";
            self.execute(SQL, row)?;
            self.execute("UPDATE nonce_scopes SET kept = kept + 1 WHERE scope = ?1", [scope])?;
            self.execute("UPDATE totals SET nonces = nonces + 1", [])?;
        }
        Ok(())
    }

    pub(crate) fn bind(&self, server: &ServerId<'_>) -> Result<(), Error> {
        const FIRST: &str = "UPDATE totals SET server = ?1 WHERE server IS NULL";
        self.execute(FIRST, [server.as_str()])?;
        const BOUND: &str = "SELECT server FROM totals";
        let bound = self.one(BOUND, [], |row| row.get::<_, String>(0))?;
        match bound {
            Some(bound) if bound != server.as_str() => {
                Err(StoreError::of_another(&bound, server).into())
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn raise_mark(&self, name: &str, at_least: i64) -> rusqlite::Result<Option<i64>> {
        const SQL: &str = "INSERT INTO marks (name, height) VALUES (?1, ?2)
            ON CONFLICT (name) DO UPDATE SET height = max(height, excluded.height)
            RETURNING height";
        self.one(SQL, params![name, at_least], |row| row.get(0))
    }

    /// Deletes nonces whose time is over.
    pub(super) fn forget_nonces(&self, limit: usize) -> rusqlite::Result<usize> {
        const DUE: &str = "SELECT scope, nonce FROM nonces WHERE until_ms <= ?1
            ORDER BY until_ms LIMIT ?2";
        let due = self.all(DUE, params![integer(self.now), integer(limit as u64)], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        for (scope, nonce) in &due {
            const SQL: &str = "DELETE FROM nonces WHERE scope = ?1 AND nonce = ?2";
            self.execute(SQL, params![scope, nonce])?;
            self.execute("UPDATE nonce_scopes SET kept = kept - 1 WHERE scope = ?1", [scope])?;
        }
        if !due.is_empty() {
            const SQL: &str = "UPDATE totals SET nonces = nonces - ?1";
            self.execute(SQL, [integer(due.len() as u64)])?;
        }
        Ok(due.len())
    }

    pub(super) fn key_use(
        &self,
        owner: &str,
        key: &Idempotency,
    ) -> rusqlite::Result<Option<KeyUse>> {
        const SQL: &str = "SELECT digest, job FROM idempotency
            WHERE client = ?1 AND key = ?2 AND until_ms > ?3";
        let row = params![owner, key.key.as_str(), integer(self.now)];
        self.one(SQL, row, |row| Ok(KeyUse { digest: row.get(0)?, job: row.get(1)? }))
    }

    pub(super) fn keep_key(
        &self,
        owner: &str,
        key: &Idempotency,
        job: &str,
    ) -> rusqlite::Result<()> {
        const SQL: &str = "INSERT OR REPLACE INTO idempotency (client, key, digest, job, until_ms)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        let until = integer(self.now.saturating_add(millis(key.keep)));
        self.execute(SQL, params![owner, key.key.as_str(), key.digest, job, until]).map(|_| ())
    }

    /// Deletes idempotency keys whose time is over.
    pub(super) fn forget_keys(&self, limit: usize) -> rusqlite::Result<usize> {
        const SQL: &str = "DELETE FROM idempotency WHERE (client, key) IN
            (SELECT client, key FROM idempotency WHERE until_ms <= ?1
             ORDER BY until_ms LIMIT ?2)";
        self.execute(SQL, params![integer(self.now), integer(limit as u64)])
    }
}

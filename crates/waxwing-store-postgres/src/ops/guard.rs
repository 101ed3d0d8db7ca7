//! Nonces: what was used, and until when that counts.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use waxwing_core::ServerId;
use waxwing_jobs::{Admission, FOR_EVER, NonceRecord, StoreError, millis};

use super::{Core, scope};
use crate::batch::Writes;
use crate::database::Batch;
use crate::error::Error;
use crate::link::Value;
use crate::row::{get, integer, number};

/// One item for each nonce: 0 is Fresh, 1 Replayed, 2 is without room. A row that this very batch
/// left is Fresh again: that is how a batch whose answer was lost is asked once more. An item that
/// is stored already takes no room, and one that expired gives its place to itself.
const SQL: &str = "
WITH clock AS MATERIALIZED (SELECT @now_ms() AS ms),
item AS MATERIALIZED (
    SELECT n.scope, n.nonce, n.keep, n.nth, EXISTS (
        SELECT FROM @nonces k WHERE k.scope = n.scope AND k.nonce = n.nonce) AS there
    FROM unnest($1, $2, $3) WITH ORDINALITY AS n (scope, nonce, keep, nth)),
kept AS MATERIALIZED (
    SELECT s, coalesce((SELECT sum(nonces) FROM @nonce_counts c WHERE c.scope = s), 0) AS nonces
    FROM unnest($4) AS s),
wanted AS MATERIALIZED (
    SELECT * FROM item WHERE there
    UNION ALL
    SELECT i.scope, i.nonce, i.keep, i.nth, there FROM (
        SELECT *, row_number() OVER (PARTITION BY scope ORDER BY nth) AS own,
            row_number() OVER (ORDER BY nth) AS all FROM item WHERE NOT there) i
    WHERE i.own + (SELECT nonces FROM kept WHERE s = i.scope) <= $5
        AND i.all + (SELECT nonces FROM kept WHERE s = 0) <= $6),
spent AS (
    INSERT INTO @nonces AS k (scope, nonce, until_ms, batch)
    SELECT scope, nonce, ms + keep, $7 FROM wanted, clock ORDER BY 1, 2
    ON CONFLICT (scope, nonce) DO UPDATE SET until_ms = excluded.until_ms, batch = excluded.batch
    WHERE k.until_ms <= (SELECT ms FROM clock) OR k.batch = excluded.batch
    RETURNING scope, nonce, xmax = 0 AS inserted),
counted AS (
    INSERT INTO @nonce_counts AS c (scope, slot, nonces)
    SELECT scope, $8, count(*) FROM spent WHERE inserted GROUP BY scope
    UNION ALL SELECT 0, $8, count(*) FROM spent WHERE inserted HAVING count(*) > 0 ORDER BY 1
    ON CONFLICT (scope, slot) DO UPDATE SET nonces = c.nonces + excluded.nonces)
SELECT i.nth, CASE WHEN s.scope IS NOT NULL THEN 0 WHEN w.nth IS NOT NULL THEN 1 ELSE 2 END
FROM item i LEFT JOIN spent s ON s.scope = i.scope AND s.nonce = i.nonce
LEFT JOIN wanted w ON w.nth = i.nth";

/// The same far from every bound, where nothing need be counted before. It gives the fresh ones, and
/// how many of each scope were kept before.
const WITH_ROOM: &str = "
WITH clock AS MATERIALIZED (SELECT @now_ms() AS ms),
spent AS (
    INSERT INTO @nonces AS k (scope, nonce, until_ms, batch)
    SELECT n.scope, n.nonce, ms + n.keep, $5
    FROM clock, unnest($1, $2, $3) AS n (scope, nonce, keep) ORDER BY 1, 2
    ON CONFLICT (scope, nonce) DO UPDATE SET until_ms = excluded.until_ms, batch = excluded.batch
    WHERE k.until_ms <= (SELECT ms FROM clock) OR k.batch = excluded.batch
    RETURNING scope, nonce, xmax = 0 AS inserted),
counted AS (
    INSERT INTO @nonce_counts AS c (scope, slot, nonces)
    SELECT scope, $6, count(*) FROM spent WHERE inserted GROUP BY scope
    UNION ALL SELECT 0, $6, count(*) FROM spent WHERE inserted HAVING count(*) > 0 ORDER BY 1
    ON CONFLICT (scope, slot) DO UPDATE SET nonces = c.nonces + excluded.nonces)
SELECT scope, nonce, 0::bigint FROM spent
UNION ALL SELECT s, NULL, coalesce(
    (SELECT sum(nonces) FROM @nonce_counts c WHERE c.scope = s), 0)::bigint FROM unnest($4) AS s";

/// How far from a bound a batch must be for [`WITH_ROOM`]: more than all processes together are
/// likely to write meanwhile.
const MARGIN: i64 = 10_000;

/// The most expired rows that a caller at a bound deletes itself; sweeps delete the others.
pub(super) const MOST_FREED: usize = 1000;

/// A nonce by the number of its scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Spend<'n> {
    scope: i64,
    nonce: &'n str,
    keep_ms: i64,
}

impl Core {
    /// Spends nonces, those of several calls in one commit.
    async fn admit(&self, records: &[NonceRecord]) -> Result<Vec<Admission>, Error> {
        let scopes = self.scopes(&records.iter().collect::<Vec<_>>()).await?;
        // A nonce that stands twice in a batch is judged once; only the first can be fresh.
        let mut firsts: Vec<Spend<'_>> = Vec::with_capacity(records.len());
        let mut seen = HashMap::new();
        let mut places = Vec::with_capacity(records.len());
        for (record, scope) in records.iter().zip(scopes) {
            let nonce = record.nonce.as_str();
            let keep_ms = integer(millis(record.keep.min(FOR_EVER)));
            let next = firsts.len();
            let place = *seen.entry((scope, nonce)).or_insert(next);
            places.push((place, place == next));
            if place == next {
                firsts.push(Spend { scope, nonce, keep_ms });
            }
        }
        let mut verdicts = self.spend(&firsts).await?;
        if verdicts.contains(&Admission::Full) {
            let full = |verdict: &Admission| *verdict == Admission::Full;
            let refused = firsts.iter().zip(&verdicts).filter(|(_, verdict)| full(verdict));
            let again: Vec<_> = refused.map(|(spend, _)| spend.clone()).collect();
            let scopes: Vec<i64> = again.iter().map(|spend| spend.scope).collect();
            if self.free_nonces(&scopes).await? > 0 {
                let mut second = self.spend(&again).await?.into_iter();
                for verdict in verdicts.iter_mut().filter(|verdict| full(verdict)) {
                    *verdict = second.next().unwrap_or(Admission::Full);
                }
            }
        }
        let verdict = |(place, is_first): (usize, bool)| match verdicts.get(place) {
            Some(Admission::Fresh) if !is_first => Admission::Replayed,
            Some(verdict) => *verdict,
            None => Admission::Full,
        };
        Ok(places.into_iter().map(verdict).collect())
    }

    /// Says which server the store works for; the first to say it decides.
    pub(crate) async fn bind(&self, server: &ServerId<'_>) -> Result<(), Error> {
        const SQL: &str = "UPDATE @waxwing SET server = coalesce(server, $1) RETURNING server";
        let rows = self.database.ask(SQL, &[(&server.as_str(), Type::TEXT)]).await?;
        let row = rows.first().ok_or_else(|| Error::Lost("no server".to_owned()))?;
        let bound: String = get(row, 0)?;
        if bound == server.as_str() {
            return Ok(());
        }
        Err(StoreError::of_another(&bound, server).into())
    }

    /// Raises a mark and gives its height; asked twice it does the same.
    pub(crate) async fn raise_mark(&self, name: &str, at_least: i64) -> Result<i64, Error> {
        const SQL: &str = "INSERT INTO @marks AS m (name, height) VALUES ($1, $2)
            ON CONFLICT (name) DO UPDATE SET height = greatest(m.height, excluded.height)
            RETURNING height";
        let values = [(&name as _, Type::TEXT), (&at_least as _, Type::INT8)];
        let rows = self.database.ask(SQL, &values).await?;
        rows.first().map_or_else(|| Err(Error::Lost("no height".to_owned())), |row| get(row, 0))
    }

    async fn spend(&self, items: &[Spend<'_>]) -> Result<Vec<Admission>, Error> {
        let batch: Batch = self.database.next_batch();
        let scopes: Vec<i64> = items.iter().map(|item| item.scope).collect();
        let nonces: Vec<&str> = items.iter().map(|item| item.nonce).collect();
        let keeps: Vec<i64> = items.iter().map(|item| item.keep_ms).collect();
        let counted: HashSet<i64> = scopes.iter().copied().chain([0]).collect();
        let counted: Vec<i64> = counted.into_iter().collect();
        let mut values: Vec<Value<'_>> = vec![
            (&scopes, Type::INT8_ARRAY),
            (&nonces, Type::TEXT_ARRAY),
            (&keeps, Type::INT8_ARRAY),
            (&counted, Type::INT8_ARRAY),
        ];
        let slot = batch.slot();
        if self.has_much_room(&counted).await? {
            values.extend([(&batch.0 as _, Type::INT8), (&slot as _, Type::INT2)]);
            let rows = self.database.ask(WITH_ROOM, &values).await?;
            return self.fresh_of(items, &rows);
        }
        let most = (integer(self.bounds.nonces_per_key), integer(self.bounds.nonces));
        values.extend([(&most.0 as _, Type::INT8), (&most.1 as _, Type::INT8)]);
        values.extend([(&batch.0 as _, Type::INT8), (&slot as _, Type::INT2)]);
        // Under the same name it may be asked as often as connections are lost.
        let rows = self.database.ask(SQL, &values).await?;
        let mut verdicts = vec![Admission::Full; items.len()];
        for row in &rows {
            let nth: usize = number(get(row, 0)?)?;
            if let Some(verdict) = verdicts.get_mut(nth.saturating_sub(1)) {
                *verdict = match get::<i32>(row, 1)? {
                    0 => Admission::Fresh,
                    1 => Admission::Replayed,
                    _ => Admission::Full,
                };
            }
        }
        Ok(verdicts)
    }

    /// What a write with much room gave: the fresh ones by name, and how many are kept by now.
    fn fresh_of(&self, items: &[Spend<'_>], rows: &[Row]) -> Result<Vec<Admission>, Error> {
        let mut fresh = HashSet::with_capacity(items.len());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            let scope = get::<i64>(row, 0)?;
            match get::<Option<&str>>(row, 1)? {
                Some(nonce) => drop(fresh.insert((scope, nonce))),
                None => drop(kept.insert(scope, get(row, 2)?)),
            }
        }
        let is_fresh = |item: &Spend<'_>| fresh.contains(&(item.scope, item.nonce));
        let verdict = |item| if is_fresh(item) { Admission::Fresh } else { Admission::Replayed };
        Ok(items.iter().map(verdict).collect())
    }

    /// Whether so little is kept of these scopes, and in all (0), that a batch cannot reach a bound.
    /// The counts are those of the last write; where they come near a bound they are read anew.
    async fn has_much_room(&self, scopes: &[i64]) -> Result<bool, Error> {
        let much = |kept: &HashMap<i64, i64>| {
            scopes.iter().all(|scope| {
                let bound =
                    if *scope == 0 { self.bounds.nonces } else { self.bounds.nonces_per_key };
                kept.get(scope).is_some_and(|kept| kept.saturating_add(MARGIN) < integer(bound))
            })
        };
        if much(&self.kept.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(true);
        }
        const READ: &str = "SELECT s, NULL::text, coalesce(
                (SELECT sum(nonces) FROM @nonce_counts c WHERE c.scope = s), 0)::bigint
            FROM unnest($1) AS s";
        let rows = self.database.ask(READ, &[(&scopes, Type::INT8_ARRAY)]).await?;
        self.fresh_of(&[], &rows)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = much(&kept);
        if kept.len() > scope::MOST {
            kept.clear();
        }
        Ok(enough)
    }

    /// Makes room for nonces of these scopes, as far as a bounded number of such whose time is over
    /// gives any: only what still counts may refuse.
    pub(super) async fn free_nonces(&self, scopes: &[i64]) -> Result<usize, Error> {
        match self.forget_nonces(MOST_FREED, scopes).await? {
            // It may be all nonces together that leave none.
            0 => self.forget_nonces(MOST_FREED, &[]).await,
            freed => Ok(freed),
        }
    }

    /// Deletes nonces whose time is over, of these scopes or, where none is named, of all.
    pub(super) async fn forget_nonces(&self, limit: usize, scopes: &[i64]) -> Result<usize, Error> {
        const SQL: &str = "
            WITH due AS MATERIALIZED (
                SELECT ctid FROM @nonces WHERE until_ms <= (SELECT @now_ms())
                    AND (cardinality($3) = 0 OR scope = ANY($3))
                ORDER BY until_ms LIMIT $1 FOR UPDATE SKIP LOCKED),
            gone AS (
                DELETE FROM @nonces WHERE ctid = ANY(ARRAY(SELECT ctid FROM due)) RETURNING scope),
            counted AS (
                INSERT INTO @nonce_counts AS c (scope, slot, nonces)
                SELECT scope, $2, -count(*) FROM gone GROUP BY scope
                UNION ALL SELECT 0, $2, -count(*) FROM gone HAVING count(*) > 0 ORDER BY 1
                ON CONFLICT (scope, slot) DO UPDATE SET nonces = c.nonces + excluded.nonces)
            SELECT count(*) FROM gone";
        self.upkeep(SQL, limit, &[(&scopes, Type::INT8_ARRAY)]).await
    }
}

impl Writes<NonceRecord, Admission> for Core {
    fn write(
        self: Arc<Self>,
        items: Vec<NonceRecord>,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Vec<Admission>, StoreError>> + Send>> {
        Box::pin(async move { Ok(self.admit(&items).await?) })
    }
}

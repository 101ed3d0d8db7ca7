//! The tables, the schema they stand in, and the way from each earlier form of them to the present.

use tokio_postgres::SimpleQueryMessage;
use waxwing_jobs::StoreError;

use crate::error::Error;
use crate::link::Link;

/// The schema of the store's tables. In this crate's statements `@name` stands for a name in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    name: String,
    prefix: String,
}

impl Schema {
    pub(crate) fn new(name: &str) -> Result<Self, &'static str> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_- ".contains(c);
        if !(1..=63).contains(&name.len()) || !name.chars().all(fits) || name.starts_with("pg_") {
            return Err(
                "schema must be 1 to 63 of A-Za-z0-9_, - and space, and not begin with pg_",
            );
        }
        Ok(Self { name: name.to_owned(), prefix: format!("\"{name}\".") })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The name as a statement spells it.
    fn quoted(&self) -> &str {
        self.prefix.strip_suffix('.').unwrap_or_default()
    }

    /// A statement on the tables of this schema.
    pub(crate) fn sql(&self, statement: &str) -> String {
        statement.replace('@', &self.prefix)
    }

    /// The channel on which changes are hinted at, quoted.
    pub(crate) fn channel(&self) -> String {
        // A name of PostgreSQL's has at most 63 bytes; two schemas may share a channel, which costs
        // a look.
        format!("\"waxwing {}\"", self.name.get(..50).unwrap_or(&self.name))
    }
}

/// Each entry brings the tables from the version of its index to the next. Entries are never
/// changed once released; the table `waxwing` says how many were applied.
const MIGRATIONS: [&str; 4] = [FIRST, SECOND, THIRD, FOURTH];

/// Text is compared byte by byte, so that no update of the system's locales can break an index.
/// Indexes cover the hot stages alone, so that finished jobs cost neither workers nor polls
/// anything. Large values are out of line (TOAST): a heartbeat does not rewrite an input.
const FIRST: &str = "
CREATE TABLE @jobs (
    seq              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id               text COLLATE \"C\" NOT NULL,
    owner            text COLLATE \"C\" NOT NULL,
    kind             text COLLATE \"C\" NOT NULL,
    stage            text COLLATE \"C\" NOT NULL CHECK (stage IN
                     ('queued', 'running', 'parked', 'completed', 'failed', 'cancelled')),
    ready_ms         bigint CHECK ((ready_ms IS NOT NULL) = (stage = 'queued')),
    rank             bigint CHECK (rank IS NULL OR stage = 'queued'),
    lease_until_ms   bigint CHECK ((lease_until_ms IS NOT NULL) = (stage = 'running')),
    cancel_asked     boolean NOT NULL DEFAULT false,
    cancel_reason    text,
    worker           text,
    epoch            bigint NOT NULL,
    failures         bigint NOT NULL,
    max_attempts     bigint NOT NULL,
    version          bigint NOT NULL,
    created_ms       bigint NOT NULL,
    expires_ms       bigint NOT NULL,
    progress_done    double precision,
    progress_total   double precision,
    progress_message text,
    attempts         text,
    requests         text,
    answers          text,
    checkpoint       text,
    input            text NOT NULL,
    output           text,
    revision         bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
CREATE UNIQUE INDEX jobs_by_id ON @jobs (id);
CREATE INDEX jobs_ready   ON @jobs (rank, seq)       WHERE rank IS NOT NULL;
CREATE INDEX jobs_mine    ON @jobs (owner, rank)     WHERE rank IS NOT NULL;
CREATE INDEX jobs_delayed ON @jobs (ready_ms)        WHERE stage = 'queued' AND rank IS NULL;
CREATE INDEX jobs_leases  ON @jobs (lease_until_ms)  WHERE lease_until_ms IS NOT NULL;
CREATE INDEX jobs_resting ON @jobs (stage)           WHERE stage IN ('parked', 'failed');
CREATE INDEX jobs_ends    ON @jobs (expires_ms);

CREATE TABLE @job_counts (
    client text COLLATE \"C\" NOT NULL,
    slot   smallint NOT NULL,
    jobs   bigint NOT NULL,
    PRIMARY KEY (client, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000);

CREATE TABLE @nonce_scopes (
    scope  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server text COLLATE \"C\" NOT NULL,
    client text COLLATE \"C\" NOT NULL,
    key    text COLLATE \"C\" NOT NULL,
    UNIQUE (server, client, key)
);
CREATE TABLE @nonces (
    scope    bigint NOT NULL,
    nonce    text COLLATE \"C\" NOT NULL,
    until_ms bigint NOT NULL,
    batch    bigint NOT NULL,
    PRIMARY KEY (scope, nonce)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX nonces_ends ON @nonces (until_ms);
CREATE TABLE @nonce_counts (
    scope  bigint NOT NULL,
    slot   smallint NOT NULL,
    nonces bigint NOT NULL,
    PRIMARY KEY (scope, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_threshold = 1000);

CREATE TABLE @idempotency (
    client   text COLLATE \"C\" NOT NULL,
    key      text COLLATE \"C\" NOT NULL,
    digest   bytea NOT NULL,
    job      text COLLATE \"C\" NOT NULL,
    until_ms bigint NOT NULL,
    PRIMARY KEY (client, key)
);
CREATE INDEX idempotency_ends ON @idempotency (until_ms);

CREATE FUNCTION @now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS
    'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint';
CREATE FUNCTION @conflict() RETURNS integer LANGUAGE plpgsql VOLATILE AS
    $$BEGIN RAISE EXCEPTION 'a row changed meanwhile' USING ERRCODE = 'WX001'; END$$;
";

/// What became of writes whose answer was lost, heights that only rise, and the longest lease that
/// was given: no lease lies further ahead.
const SECOND: &str = "
CREATE TABLE @commits (
    batch    bigint PRIMARY KEY,
    until_ms bigint NOT NULL,
    sealed   boolean NOT NULL DEFAULT false
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX commits_ends ON @commits (until_ms);
ALTER TABLE @jobs ADD COLUMN claim bigint;
CREATE TABLE @marks (name text COLLATE \"C\" PRIMARY KEY, height bigint NOT NULL);
ALTER TABLE @waxwing ADD COLUMN longest_lease_ms bigint NOT NULL DEFAULT 30000;
";

/// The server that the schema works for, from its first start on.
const THIRD: &str = "
ALTER TABLE @waxwing ADD COLUMN server text COLLATE \"C\";
";

/// The turn is the highest place that was claimed, in a sequence, which no claim waits for. It
/// begins before the first of that client's jobs whose first comes last: whoever is further back
/// waits for something else.
///
/// Which jobs run is told by an index that a heartbeat does not change, as no other index is: so it
/// writes one new row into the room its page has left (`fillfactor`) and no index at all. Claims
/// read the queue of their kinds alone; what has expired is found apart from what has expired
/// before it ended; failed jobs are counted as they come and go.
const FOURTH: &str = "
CREATE SEQUENCE @turn AS bigint MINVALUE 0 START 0;
SELECT setval('@turn', greatest(0, max(first) - 1))
FROM (SELECT min(rank) AS first FROM @jobs WHERE rank IS NOT NULL GROUP BY owner) o;
DROP INDEX @jobs_ready, @jobs_leases, @jobs_resting, @jobs_ends;
CREATE INDEX jobs_ready ON @jobs (kind, rank, seq) WHERE rank IS NOT NULL;
CREATE INDEX jobs_held  ON @jobs (stage)      WHERE stage IN ('running', 'parked');
CREATE INDEX jobs_dying ON @jobs (expires_ms) WHERE stage IN ('queued', 'running', 'parked');
CREATE INDEX jobs_ended ON @jobs (expires_ms) WHERE stage IN ('completed', 'failed', 'cancelled');
INSERT INTO @job_counts
SELECT ' failed', 0, count(*) FROM @jobs WHERE stage = 'failed' HAVING count(*) > 0;
ALTER TABLE @waxwing ADD COLUMN forgotten_ms bigint NOT NULL DEFAULT 0;
";

/// Brings the schema to the present form, in one transaction, whoever else is doing so.
pub(crate) async fn migrate(link: &mut Link, schema: &Schema) -> Result<(), StoreError> {
    Ok(apply(link, schema, &MIGRATIONS).await?)
}

/// Refuses a schema that is missing or of another version, and changes nothing.
pub(crate) async fn verify(link: &Link, schema: &Schema) -> Result<(), Error> {
    let name = schema.name();
    let refuse = |why: String| Err(Error::Store(StoreError::Misconfigured(why)));
    let value = |rows: &[SimpleQueryMessage]| {
        let mut rows = rows.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        rows.next()
    };
    let table = schema.sql("SELECT to_regclass('@waxwing')");
    if value(&link.simple(&table).await?).is_none() {
        return refuse(format!("the schema {name} holds no jobs; `waxwing serve` makes it"));
    }
    let version = value(&link.simple(&schema.sql("SELECT version FROM @waxwing")).await?);
    let ours = MIGRATIONS.len();
    match version.and_then(|text| text.parse::<usize>().ok()) {
        Some(version) if version == ours => Ok(()),
        Some(version) if version < ours => refuse(format!(
            "the schema {name} has version {version}; `waxwing serve` of this version updates it to {ours}"
        )),
        Some(version) => refuse(format!(
            "the schema {name} has version {version}, and this program knows {ours}: use that of \
             `waxwing serve`"
        )),
        None => Err(StoreError::Corrupt("the schema's version is missing".to_owned()).into()),
    }
}

async fn apply(link: &mut Link, schema: &Schema, migrations: &[&str]) -> Result<(), Error> {
    let name = schema.name();
    let tx = link.client().transaction().await?;
    // Any number will do that is always the same for a schema.
    let lock = format!("SELECT pg_advisory_xact_lock(hashtextextended('waxwing ' || '{name}', 7))");
    tx.batch_execute(&lock).await?;
    let refuse = |why: String| Err(Error::Store(StoreError::Misconfigured(why)));
    let count = |rows: Vec<SimpleQueryMessage>| {
        rows.iter().filter(|row| matches!(row, SimpleQueryMessage::Row(_))).count()
    };
    let there = format!("SELECT 1 FROM pg_namespace WHERE nspname = '{name}'");
    if count(tx.simple_query(&there).await?) == 0 {
        tx.batch_execute(&format!("CREATE SCHEMA {}", schema.quoted())).await?;
    }
    let tables = |which: &str| {
        format!("SELECT 1 FROM pg_tables WHERE schemaname = '{name}' {which} LIMIT 1")
    };
    let ours = count(tx.simple_query(&tables("AND tablename = 'waxwing'")).await?) == 1;
    if !ours {
        if count(tx.simple_query(&tables("")).await?) > 0 {
            return refuse(format!("the schema {name} holds tables of another program"));
        }
        tx.batch_execute(&schema.sql(
            "CREATE TABLE @waxwing (version bigint NOT NULL);
            INSERT INTO @waxwing VALUES (0)",
        ))
        .await?;
    }
    let rows = tx.simple_query(&schema.sql("SELECT version FROM @waxwing")).await?;
    let version = rows.iter().find_map(|row| match row {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse::<usize>().ok(),
        _ => None,
    });
    let version =
        version.ok_or_else(|| StoreError::Corrupt("the schema's version is missing".to_owned()))?;
    let Some(missing) = migrations.get(version..) else {
        let newest = migrations.len();
        return refuse(format!(
            "the schema {name} has version {version}, made by a newer version; this one knows {newest}"
        ));
    };
    for step in missing {
        tx.batch_execute(&schema.sql(step)).await?;
    }
    if !missing.is_empty() {
        let done = format!("UPDATE @waxwing SET version = {}", migrations.len());
        tx.batch_execute(&schema.sql(&done)).await?;
    }
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests;

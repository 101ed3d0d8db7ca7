//! One connection, and the statements that it knows.

use std::collections::HashMap;

use tokio::task::JoinHandle;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, SimpleQueryMessage, Statement};

use crate::config::Session;
use crate::error::Error;
use crate::schema::Schema;

/// A value of a statement, with its type, so that the database need not be asked for it.
pub(crate) type Value<'a> = (&'a (dyn ToSql + Sync), Type);

/// One connection; it is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct Link {
    client: Client,
    statements: HashMap<String, Statement>,
    _messages: Abort,
}

/// A task that ends with its owner.
#[derive(Debug)]
pub(crate) struct Abort(pub(crate) JoinHandle<()>);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Link {
    pub(crate) fn new(client: Client, messages: Abort) -> Self {
        Self { client, statements: HashMap::new(), _messages: messages }
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(crate) async fn simple(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        Ok(self.client.simple_query(sql).await?)
    }

    /// Asks on tables of this schema. What a session of its own has been asked once, it knows by
    /// name from then on.
    pub(crate) async fn ask(
        &mut self,
        (session, schema): (Session, &Schema),
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Error> {
        if session == Session::Pooled {
            return Ok(self.client.query_typed(&schema.sql(sql), values).await?);
        }
        let known = match self.statements.get(sql) {
            Some(known) => known.clone(),
            None => {
                let types: Vec<Type> = values.iter().map(|(_, kind)| kind.clone()).collect();
                let known = self.client.prepare_typed(&schema.sql(sql), &types).await?;
                self.statements.insert(sql.to_owned(), known.clone());
                known
            }
        };
        let plain: Vec<_> = values.iter().map(|(value, _)| *value).collect();
        Ok(self.client.query(&known, &plain).await?)
    }
}

//! What must hold before a database is trusted with jobs: checked when it is opened, refused
//! otherwise.

use tokio_postgres::SimpleQueryMessage;
use waxwing_jobs::StoreError;

use crate::config::OUR_STATEMENT_TIMEOUT;
use crate::error::{Error, POOLED};
use crate::link::Link;

/// The oldest server, as it numbers itself.
const OLDEST: u32 = 150_000;

/// What a server reports about itself.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    version: u32,
    /// As people write it.
    pub(crate) version_text: String,
    fsync: String,
    full_page_writes: String,
    synchronous_commit: String,
    encoding: String,
}

impl Settings {
    /// Asks over a connection that has changed none of them.
    pub(crate) async fn read(link: &Link) -> Result<Self, Error> {
        const SQL: &str = "SELECT current_setting('server_version_num'),
            current_setting('server_version'), current_setting('fsync'),
            current_setting('full_page_writes'), current_setting('synchronous_commit'),
            current_setting('server_encoding')";
        let rows = link.simple(SQL).await?;
        let row = rows.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let text = |column| row.and_then(|row| row.get(column)).unwrap_or_default().to_owned();
        Ok(Self {
            version: text(0).parse().unwrap_or_default(),
            version_text: text(1),
            fsync: text(2),
            full_page_writes: text(3),
            synchronous_commit: text(4),
            encoding: text(5),
        })
    }

    /// One clear line, when jobs could be lost or not be written at all.
    pub(crate) fn refusal(&self) -> Option<String> {
        if self.version < OLDEST {
            return Some(format!(
                "PostgreSQL {} is too old; 15 or newer is needed",
                self.version_text
            ));
        }
        if self.fsync == "off" {
            return Some(
                "fsync=off would lose acknowledged jobs in a power cut; switch it on".to_owned(),
            );
        }
        if self.full_page_writes == "off" {
            let why = "full_page_writes=off would damage the database in a power cut; switch it on";
            return Some(why.to_owned());
        }
        if self.synchronous_commit == "off" {
            let why =
                "synchronous_commit=off would lose acknowledged jobs in a crash; switch it on";
            return Some(why.to_owned());
        }
        if self.encoding != "UTF8" {
            return Some(format!("the database's encoding is {}; UTF8 is needed", self.encoding));
        }
        None
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.refusal().map_or(Ok(()), |why| Err(StoreError::Misconfigured(why)))
    }
}

/// Refuses a connection that did not take the settings that it was made with: whatever stands
/// before the server would mix up sessions too.
pub(crate) async fn check_session(link: &Link) -> Result<(), Error> {
    let rows = link.simple("SHOW statement_timeout").await?;
    let set = rows.iter().any(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0) == Some(OUR_STATEMENT_TIMEOUT),
        _ => false,
    });
    let why = || StoreError::Misconfigured(format!("a session takes no settings: {POOLED}"));
    if set { Ok(()) } else { Err(why().into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Settings {
        let text = |text: &str| text.to_owned();
        Settings {
            version: 150_000,
            version_text: text("15.0"),
            fsync: text("on"),
            full_page_writes: text("on"),
            synchronous_commit: text("on"),
            encoding: text("UTF8"),
        }
    }

    #[test]
    fn a_safe_server_is_taken_and_each_unsafe_one_is_refused_in_one_line() {
        assert_eq!(good().refusal(), None);
        assert_eq!(
            Settings { synchronous_commit: "remote_apply".into(), ..good() }.refusal(),
            None
        );
        let refused = [
            (
                Settings { version: 149_999, version_text: "14.9".into(), ..good() },
                "14.9 is too old",
            ),
            (Settings { fsync: "off".into(), ..good() }, "fsync=off"),
            (Settings { full_page_writes: "off".into(), ..good() }, "full_page_writes=off"),
            (Settings { synchronous_commit: "off".into(), ..good() }, "synchronous_commit=off"),
            (Settings { encoding: "SQL_ASCII".into(), ..good() }, "SQL_ASCII"),
        ];
        for (settings, says) in refused {
            let line = settings.check().unwrap_err().to_string();
            assert!(line.contains(says) && !line.contains('\n'), "{line}");
        }
    }
}

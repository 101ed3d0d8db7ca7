//! `client.toml`: whom a client calls, as whom, and with which secret.

use std::path::Path;

use serde::Deserialize;
use waxwing_client::Client;
use waxwing_core::{ClientId, KeyId, ServerId};
use waxwing_crypto::Key;

use super::file::{self, ConfigError, Privacy};
use super::secret::{Algorithm, SecretText};
use crate::exit::Failure;

/// The file, as it is read and as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) url: String,
    pub(crate) client_id: ClientId<'static>,
    pub(crate) server_id: ServerId<'static>,
    pub(crate) key_id: KeyId<'static>,
    pub(crate) algorithm: Algorithm,
    pub(crate) secret: SecretText,
}

impl Profile {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let profile: Self = file::read(path, Privacy::Private)?;
        // A profile whose secret is no key is refused at once, whatever is done with it.
        profile.key(path)?;
        Ok(profile)
    }

    /// The key its secret stands for.
    pub(crate) fn key(&self, path: &Path) -> Result<Key, ConfigError> {
        self.secret
            .key(self.algorithm)
            .map_err(|no_key| ConfigError::value(path, no_key.to_string()))
    }

    /// The client that the file at `path` describes.
    pub(crate) fn client(path: &Path) -> Result<Client, Failure> {
        Self::read(path)?.into_client(path)
    }

    /// The client that it describes; `path` is where it was read.
    pub(crate) fn into_client(self, path: &Path) -> Result<Client, Failure> {
        let key = self.key(path)?;
        let Self { url, client_id, server_id, key_id, .. } = self;
        let client = Client::builder(url, client_id, server_id, key_id, key).build();
        client.map_err(|error| ConfigError::value(path, error.to_string()).into())
    }

    /// Writes the file.
    pub(crate) fn write_new(&self, path: &Path) -> Result<(), ConfigError> {
        let Self { url, client_id, server_id, key_id, secret, .. } = self;
        let text = format!(
            "# Whom to call and as whom. It holds a secret: keep its mode 600.\n\
             url = \"{url}\"\n\
             client_id = \"{client_id}\"\n\
             server_id = \"{server_id}\"\n\
             key_id = \"{key_id}\"\n\
             algorithm = \"hmac-sha256\"\n\
             secret = \"{}\"\n",
            secret.expose(),
        );
        file::write_new(path, &zeroize::Zeroizing::new(text), Privacy::Private)
    }
}

//! `server.key`: the Ed25519 key with which a server signs its replies.

use std::path::Path;

use serde::Deserialize;
use waxwing_crypto::Ed25519SigningKey;
use zeroize::Zeroizing;

use super::file::{self, ConfigError, Privacy};
use super::secret::{Algorithm, PublicKey, SecretText};

/// Its name beside the other files, unless another is given.
pub(crate) const NAME: &str = "server.key";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    algorithm: Algorithm,
    secret: SecretText,
    /// There for people to copy; that it belongs to the secret is checked.
    public_key: PublicKey,
}

/// Reads the file.
pub(crate) fn read(path: &Path) -> Result<Ed25519SigningKey, ConfigError> {
    let KeyFile { algorithm, secret, public_key } = file::read(path, Privacy::Private)?;
    if algorithm != Algorithm::Ed25519 {
        let text = "a server's own key is ed25519; with hmac-sha256 it has none";
        return Err(ConfigError::value(path, text));
    }
    let key = secret.ed25519().map_err(|no_key| ConfigError::value(path, no_key.to_string()))?;
    if key.public_key() != public_key.0 {
        return Err(ConfigError::value(path, "its public_key is not that of its secret"));
    }
    Ok(key)
}

/// The public half of the key in the file.
pub(crate) fn read_public(path: &Path) -> Result<PublicKey, ConfigError> {
    read(path).map(|key| PublicKey(key.public_key()))
}

/// Writes a new file.
pub(crate) fn write_new(
    path: &Path,
    secret: &SecretText,
    public: &PublicKey,
) -> Result<(), ConfigError> {
    let text = format!(
        "# The key with which this server signs. It holds a secret: keep its mode 600.\n\
         algorithm = \"ed25519\"\n\
         secret = \"{}\"\n\
         # Clients have this one, as server_public_key.\n\
         public_key = \"{public}\"\n",
        secret.expose(),
    );
    file::write_new(path, &Zeroizing::new(text), Privacy::Private)
}

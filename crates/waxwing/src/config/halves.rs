//! The two halves of a key: what the server's keyring holds of it, and what the client's profile does.

use toml_edit::{Table, value};
use waxwing_crypto::{Ed25519Key, Ed25519SigningKey, Key};

use super::secret::{Algorithm, NoKey, PublicKey, SecretText};

/// What the server holds of a client's key, beside its own.
#[derive(Clone, Debug)]
pub(crate) enum ServerHalf {
    HmacSha256(SecretText),
    Ed25519(PublicKey),
}

/// What the client holds.
#[derive(Clone, Debug)]
pub(crate) enum ClientHalf {
    HmacSha256(SecretText),
    Ed25519 { secret: SecretText, server: PublicKey },
}

/// A key that was just made.
#[derive(Debug)]
pub(crate) enum NewKey {
    HmacSha256(SecretText),
    Ed25519 { secret: SecretText, public: PublicKey },
}

impl ServerHalf {
    /// Of what stands in a file.
    pub(super) fn of_fields(
        algorithm: Algorithm,
        secret: Option<SecretText>,
        public_key: Option<PublicKey>,
    ) -> Result<Self, &'static str> {
        match (algorithm, secret, public_key) {
            (Algorithm::HmacSha256, Some(secret), None) => Ok(Self::HmacSha256(secret)),
            (Algorithm::Ed25519, None, Some(public)) => Ok(Self::Ed25519(public)),
            (Algorithm::HmacSha256, ..) => Err("hmac-sha256 takes a `secret` and nothing else"),
            (Algorithm::Ed25519, ..) => Err(
                "ed25519 takes the client's `public_key` and nothing else; its secret is the client's",
            ),
        }
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::HmacSha256(_) => Algorithm::HmacSha256,
            Self::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// The key that verifies this client's requests and signs the replies.
    pub(crate) fn key(&self, server: Option<&Ed25519SigningKey>) -> Result<Key, NoKey> {
        match self {
            Self::HmacSha256(secret) => Ok(secret.hmac()?.into()),
            Self::Ed25519(client) => {
                let own = server.ok_or(NoKey::NoServerKey)?.clone();
                Ok(Ed25519Key::of_server(own, client.0.clone())?.into())
            }
        }
    }

    /// What tells this key from others without giving anything away.
    pub(crate) fn fingerprint(&self) -> Result<String, NoKey> {
        match self {
            Self::HmacSha256(secret) => secret.hmac().map(|key| key.fingerprint()),
            Self::Ed25519(client) => Ok(client.0.fingerprint()),
        }
    }

    pub(super) fn write(&self, table: &mut Table) {
        table["algorithm"] = value(self.algorithm().as_str());
        match self {
            Self::HmacSha256(secret) => table["secret"] = value(secret.expose()),
            Self::Ed25519(client) => table["public_key"] = value(client.to_string()),
        }
    }
}

impl ClientHalf {
    /// Of what stands in a file.
    pub(super) fn of_fields(
        algorithm: Algorithm,
        secret: SecretText,
        server_public_key: Option<PublicKey>,
    ) -> Result<Self, &'static str> {
        match (algorithm, server_public_key) {
            (Algorithm::HmacSha256, None) => Ok(Self::HmacSha256(secret)),
            (Algorithm::Ed25519, Some(server)) => Ok(Self::Ed25519 { secret, server }),
            (Algorithm::HmacSha256, Some(_)) => Err("hmac-sha256 takes no `server_public_key`"),
            (Algorithm::Ed25519, None) => Err("ed25519 needs the server's `server_public_key`"),
        }
    }

    const fn algorithm(&self) -> Algorithm {
        match self {
            Self::HmacSha256(_) => Algorithm::HmacSha256,
            Self::Ed25519 { .. } => Algorithm::Ed25519,
        }
    }

    /// The key that signs requests and verifies replies.
    pub(crate) fn key(&self) -> Result<Key, NoKey> {
        match self {
            Self::HmacSha256(secret) => Ok(secret.hmac()?.into()),
            Self::Ed25519 { secret, server } => {
                Ok(Ed25519Key::of_client(secret.ed25519()?, server.0.clone())?.into())
            }
        }
    }

    pub(super) fn write(&self, table: &mut Table) {
        table["algorithm"] = value(self.algorithm().as_str());
        match self {
            Self::HmacSha256(secret) => table["secret"] = value(secret.expose()),
            Self::Ed25519 { secret, server } => {
                table["secret"] = value(secret.expose());
                table["server_public_key"] = value(server.to_string());
            }
        }
    }
}

impl NewKey {
    /// A fresh one.
    pub(crate) fn random(algorithm: Algorithm) -> Result<Self, getrandom::Error> {
        let secret = SecretText::random()?;
        Ok(match algorithm {
            Algorithm::HmacSha256 => Self::HmacSha256(secret),
            Algorithm::Ed25519 => match secret.ed25519() {
                Ok(key) => Self::Ed25519 { secret, public: PublicKey(key.public_key()) },
                // Drawn at random and weak all the same: not within the life of the universe.
                Err(_) => return Self::random(algorithm),
            },
        })
    }

    pub(crate) const fn secret(&self) -> &SecretText {
        match self {
            Self::HmacSha256(secret) | Self::Ed25519 { secret, .. } => secret,
        }
    }

    pub(crate) const fn public(&self) -> Option<&PublicKey> {
        match self {
            Self::HmacSha256(_) => None,
            Self::Ed25519 { public, .. } => Some(public),
        }
    }

    pub(crate) fn server_half(&self) -> ServerHalf {
        match self {
            Self::HmacSha256(secret) => ServerHalf::HmacSha256(secret.clone()),
            Self::Ed25519 { public, .. } => ServerHalf::Ed25519(public.clone()),
        }
    }

    /// The client's half, if all that belongs to it is known.
    pub(crate) fn client_half(&self, server: Option<&PublicKey>) -> Option<ClientHalf> {
        match self {
            Self::HmacSha256(secret) => Some(ClientHalf::HmacSha256(secret.clone())),
            Self::Ed25519 { secret, .. } => {
                let server = server?.clone();
                Some(ClientHalf::Ed25519 { secret: secret.clone(), server })
            }
        }
    }
}

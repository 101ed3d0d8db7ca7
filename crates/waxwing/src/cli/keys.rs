//! The words about keys: `keygen` and `keys`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use waxwing_core::{ClientId, KeyId};

use crate::config::{Algorithm, PublicKey};

pub(super) const KEYGEN: &str = "\
With hmac-sha256 client and server share one secret. With ed25519 each has a secret of its own and the
other's public key; the server's own is made once:

  waxwing keygen --server                         server.key; name it in waxwing.toml as signing_key
  waxwing keygen --client agent --algorithm ed25519 --keyring keyring.toml

A client that makes its key by itself (without --keyring) keeps its secret to itself: the server is given
the public key alone, with `waxwing keys add`.";

const ROTATE: &str = "\
The new key is added to the keyring as active, and the old one becomes retiring: both verify until
--retire-after is over, so no call fails. A running server takes the change up within about a second.

With --profile the new key is put into that client.toml as well, beside the old one, which signs until
--activate-after is over. Without it the new key is printed, to be given to the client by other means.";

/// What `keygen` is asked for.
#[derive(Args, Debug)]
pub(crate) struct KeygenArgs {
    /// The client that will sign with the key
    #[arg(long, value_name = "ID", required_unless_present = "server")]
    pub(crate) client: Option<ClientId<'static>>,
    /// The key's name
    #[arg(long, value_name = "ID", default_value = "k1", conflicts_with = "server")]
    pub(crate) key_id: KeyId<'static>,
    /// What the key signs with [default: hmac-sha256 for a client, ed25519 for a server]
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) algorithm: Option<Algorithm>,
    /// Add the key to this keyring.toml as well
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    pub(crate) keyring: Option<PathBuf>,
    /// The server's own key, for the public half that the client needs with ed25519 [default: server.key
    /// beside the keyring, if it is there]
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    pub(crate) server_key: Option<PathBuf>,
    /// Make the server's own key, with which it signs for clients with ed25519 keys
    #[arg(long, conflicts_with = "client")]
    pub(crate) server: bool,
    /// Where to write the server's own key
    #[arg(long, value_name = "FILE", default_value = "server.key", requires = "server")]
    pub(crate) out: PathBuf,
}

/// What `keys` is asked for.
#[derive(Args, Debug)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Show the keys, never their secrets
    List(KeysListArgs),
    /// Add the public key of a client that made its ed25519 key by itself
    Add(KeysAddArgs),
    /// Give a client a new key, and let the old one retire
    #[command(after_help = ROTATE)]
    Rotate(Box<KeysRotateArgs>),
    /// End a key at once
    Revoke(KeysRevokeArgs),
}

/// Which keyring.
#[derive(Args, Debug)]
pub(crate) struct KeyringArgs {
    /// The server's keys
    #[arg(long, value_name = "FILE", default_value = "keyring.toml")]
    pub(crate) keyring: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct KeysListArgs {
    #[command(flatten)]
    pub(crate) keyring: KeyringArgs,
}

#[derive(Args, Debug)]
pub(crate) struct KeysAddArgs {
    /// The client that signs with the key
    #[arg(long, value_name = "ID")]
    pub(crate) client: ClientId<'static>,
    /// The key's name
    #[arg(long, value_name = "ID", default_value = "k1")]
    pub(crate) key_id: KeyId<'static>,
    /// The public key that `waxwing keygen` showed the client
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) public_key: PublicKey,
    #[command(flatten)]
    pub(crate) keyring: KeyringArgs,
}

#[derive(Args, Debug)]
pub(crate) struct KeysRotateArgs {
    /// Whose key
    #[arg(long, value_name = "ID")]
    pub(crate) client: ClientId<'static>,
    /// The key that retires [default: the newest active one]
    #[arg(long, value_name = "ID")]
    pub(crate) key_id: Option<KeyId<'static>>,
    /// The new key's name [default: the next number, k2 after k1]
    #[arg(long, value_name = "ID")]
    pub(crate) new_key_id: Option<KeyId<'static>>,
    /// What the new key signs with [default: as the old one]
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) algorithm: Option<Algorithm>,
    /// How long the old key still verifies
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    pub(crate) retire_after: Duration,
    /// Put the new key into this client.toml
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,
    /// How long the client still signs with the old key: as long as servers may need to learn the new one
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) activate_after: Duration,
    /// The new public key, when the client made its ed25519 key by itself
    #[arg(long, value_name = "KEY", conflicts_with_all = ["profile", "algorithm"], allow_hyphen_values = true)]
    pub(crate) public_key: Option<PublicKey>,
    /// The server's own key, for the public half that the client needs with ed25519 [default: server.key
    /// beside the keyring, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) server_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) keyring: KeyringArgs,
}

#[derive(Args, Debug)]
pub(crate) struct KeysRevokeArgs {
    /// Whose key
    #[arg(long, value_name = "ID")]
    pub(crate) client: ClientId<'static>,
    /// Which key
    #[arg(long, value_name = "ID")]
    pub(crate) key_id: KeyId<'static>,
    #[command(flatten)]
    pub(crate) keyring: KeyringArgs,
}

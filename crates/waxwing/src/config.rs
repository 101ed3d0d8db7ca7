//! The files, each strict: an unknown key is an error that names it and the file. No error repeats
//! a line of a file, since the line may hold a secret.

pub(crate) mod audit;
pub(crate) mod authorisation;
pub(crate) mod client;
mod edit;
mod file;
pub(crate) mod halves;
pub(crate) mod keyring;
pub(crate) mod lifetime;
mod secret;
pub(crate) mod server;
pub(crate) mod server_key;
pub(crate) mod store;
pub(crate) mod tools;

pub(crate) use file::ConfigError;
pub(crate) use secret::{Algorithm, PublicKey, SecretText};

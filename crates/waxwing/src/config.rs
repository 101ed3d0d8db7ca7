//! The files, each strict: an unknown key is an error that names it and the file. No error repeats
//! a line of a file, since the line may hold a secret.

pub(crate) mod audit;
mod authorisation;
pub(crate) mod client;
mod edit;
mod fields;
mod file;
pub(crate) mod halves;
pub(crate) mod keyring;
pub(crate) mod lifetime;
pub(crate) mod new_config;
mod secret;
pub(crate) mod server;
pub(crate) mod server_key;
mod settings;
pub(crate) mod store;
mod tools;

pub(crate) use file::ConfigError;
pub(crate) use secret::{Algorithm, PublicKey, SecretText};

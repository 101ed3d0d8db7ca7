//! The three files, each strict: an unknown key is an error that names it and the file. No error repeats
//! a line of a file, since the line may hold a secret.

pub(crate) mod client;
mod file;
pub(crate) mod keyring;
mod secret;
pub(crate) mod server;

pub(crate) use file::ConfigError;
pub(crate) use secret::SecretText;

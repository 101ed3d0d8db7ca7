//! Makes a client: what it must know is asked for at once, what has a safe default can be set.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use waxwing_core::{ClientId, KeyId, Limits, ServerId};
use waxwing_crypto::{Key, KeyChain, KeyRecord, Window};

use crate::client::{Client, Inner};
use crate::clock::Clock;
use crate::endpoint::{Endpoint, InvalidUrl};
use crate::entropy::Entropy;
use crate::pins::Pins;
use crate::transport::Transport;
use crate::verify::Verifier;

/// Settings of a client to be. Made by [`Client::builder`].
#[derive(Debug)]
pub struct ClientBuilder {
    url: String,
    client_id: ClientId<'static>,
    server_id: ServerId<'static>,
    keys: KeyChain,
    limits: Limits,
    window: Window,
    timeout: Duration,
    connect_timeout: Duration,
    pins: Pins,
    clock: Clock,
    entropy: Entropy,
}

impl Client {
    /// Begins a client that calls `server_id` at `url` (`http://HOST[:PORT]`) as `client_id`, signing
    /// with `key`, which the server knows as `key_id`.
    #[must_use]
    pub fn builder(
        url: impl Into<String>,
        client_id: ClientId<'static>,
        server_id: ServerId<'static>,
        key_id: KeyId<'static>,
        key: Key,
    ) -> ClientBuilder {
        let mut keys = KeyChain::default();
        keys.insert(KeyRecord::new(key_id, key));
        Self::builder_with_keys(url, client_id, server_id, keys)
    }

    /// As [`Client::builder`], with several keys: each call is signed with the newest that is active and
    /// valid at the time, so that a key can be changed for another while calls go on.
    #[must_use]
    pub fn builder_with_keys(
        url: impl Into<String>,
        client_id: ClientId<'static>,
        server_id: ServerId<'static>,
        keys: KeyChain,
    ) -> ClientBuilder {
        ClientBuilder {
            url: url.into(),
            client_id,
            server_id,
            keys,
            limits: Limits::DEFAULT,
            window: Window::DEFAULT,
            timeout: ClientBuilder::TIMEOUT,
            connect_timeout: Duration::from_secs(5),
            pins: Pins::default(),
            clock: Clock::of_system(),
            entropy: Entropy::of_system(),
        }
    }
}

impl ClientBuilder {
    /// How long one call may take in all, unless [`Self::timeout`] says otherwise: 60 s.
    pub const TIMEOUT: Duration = Duration::from_secs(60);

    /// How large and how deep a message may be, in either direction (wire.md §1).
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How far a reply's time may lie from this clock (wire.md §5).
    #[must_use]
    pub const fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// How long one call may take in all, from the connection to the last byte, with the one retry
    /// after `stale` and with the repeats of a call that has an idempotency key and still runs;
    /// [`Self::TIMEOUT`] by default. A poll that waits may take so much longer.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long making a connection may take; 5 s by default.
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The tool definitions that calls rely on (wire.md §7); none by default.
    #[must_use]
    pub fn pins(mut self, pins: Pins) -> Self {
        self.pins = pins;
        self
    }

    /// Another clock: milliseconds since the Unix epoch. For tests.
    #[must_use]
    pub fn clock(mut self, now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.clock = Clock::new(now_ms);
        self
    }

    /// Another source of random bytes for nonces and request ids. For tests: nonces that can be
    /// guessed or repeat are refused as replays or make replies forgeable.
    #[must_use]
    pub fn entropy(
        mut self,
        fill: impl Fn(&mut [u8]) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.entropy = Entropy::new(fill);
        self
    }

    /// The client. It connects when it is first used.
    ///
    /// # Errors
    /// [`InvalidUrl`] when calls cannot be sent to the URL.
    pub fn build(self) -> Result<Client, InvalidUrl> {
        let endpoint = Endpoint::parse(&self.url)?;
        Ok(Client::of(Arc::new(Inner {
            client_id: self.client_id,
            server_id: self.server_id,
            keys: self.keys,
            verifier: Verifier { limits: self.limits, window: self.window },
            pins: self.pins,
            timeout: self.timeout,
            clock: self.clock,
            entropy: self.entropy,
            transport: Transport::new(endpoint, self.limits.max_message(), self.connect_timeout),
        })))
    }
}

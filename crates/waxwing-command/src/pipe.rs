//! One of a program's outputs, chunk by chunk: waiting for more, or what is there already.

use std::os::fd::AsFd;

use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncReadExt as _};

const CHUNK: usize = 8 << 10;

/// The reading end of a pipe that a program writes to.
#[derive(Debug)]
pub(crate) struct Pipe<P> {
    end: P,
    state: State,
    chunk: Box<[u8]>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Open,
    Over,
}

impl<P: AsyncRead + AsFd + Unpin> Pipe<P> {
    pub(crate) fn new(end: P) -> Self {
        Self { end, state: State::Open, chunk: vec![0; CHUNK].into() }
    }

    /// The next bytes; none when the pipe was closed, and never again after that. Safe to drop and
    /// call again.
    pub(crate) async fn next(&mut self) -> &[u8] {
        if self.state == State::Over {
            std::future::pending::<()>().await;
        }
        let read = self.end.read(&mut self.chunk).await.unwrap_or(0);
        self.taken(read)
    }

    /// Bytes that are in the pipe already, without waiting; none when there are no more.
    pub(crate) fn ready(&mut self) -> &[u8] {
        if self.state == State::Over {
            return &[];
        }
        let read = loop {
            match rustix::io::read(&self.end, &mut *self.chunk) {
                Err(Errno::INTR) => {}
                // EAGAIN: tokio has made the pipe non-blocking.
                read => break read.unwrap_or(0),
            }
        };
        self.taken(read)
    }

    fn taken(&mut self, read: usize) -> &[u8] {
        if read == 0 {
            self.state = State::Over;
        }
        self.chunk.get(..read).unwrap_or_default()
    }
}

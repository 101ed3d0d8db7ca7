//! The socket as hyper sees it: only heads that have been judged, and a peer that is never slow for
//! long. A bad head looks to hyper like the orderly end of the connection; the answer to it is the
//! business of whoever holds the socket afterwards.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::head::{self, Framing, HeadFault};
use crate::settings::HttpLimits;

/// Whether a call of this connection is being worked on: then it is not the peer who is slow.
#[derive(Clone, Debug, Default)]
pub(super) struct Busy(Arc<Mutex<Calls>>);

#[derive(Debug, Default)]
struct Calls {
    at_work: usize,
    /// Who wants to know that there are none any more.
    waiting: Option<Waker>,
}

impl Busy {
    /// Busy until the guard is dropped.
    pub(super) fn enter(&self) -> BusyGuard {
        self.calls().at_work += 1;
        BusyGuard(self.clone())
    }

    /// Ready when no call is being worked on.
    fn poll_free(&self, cx: &Context<'_>) -> Poll<()> {
        let mut calls = self.calls();
        if calls.at_work == 0 {
            return Poll::Ready(());
        }
        // hyper does not look for the next request by itself after a call.
        calls.waiting = Some(cx.waker().clone());
        Poll::Pending
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct BusyGuard(Busy);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        let mut calls = self.0.calls();
        calls.at_work -= 1;
        if let Some(waiting) = calls.waiting.take() {
            waiting.wake();
        }
    }
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// A head, of which so many bytes have been looked at.
    Head { seen: usize },
    /// So many more bytes of a message that has been judged.
    Message { left: u64 },
    /// The last message of the connection.
    Last,
    /// There will be no more.
    End,
}

/// What the peer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    FirstByte,
    NextHead,
    RestOfHead,
}

/// A connection that shows hyper nothing but well-framed messages.
#[derive(Debug)]
pub(super) struct StrictIo {
    stream: TcpStream,
    /// What was read and not handed on is `start..end` of it; `start <= end <= buffer.len()`.
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    place: Place,
    fault: Option<HeadFault>,
    limits: HttpLimits,
    busy: Busy,
    first: bool,
    waiting: Option<Wait>,
    deadline: Pin<Box<Sleep>>,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl StrictIo {
    pub(super) fn new(stream: TcpStream, limits: HttpLimits, busy: Busy) -> Self {
        Self {
            stream,
            buffer: vec![0; limits.head_bytes.max(1 << 10)].into_boxed_slice(),
            start: 0,
            end: 0,
            place: Place::Head { seen: 0 },
            fault: None,
            limits,
            busy,
            first: true,
            waiting: None,
            deadline: Box::pin(sleep(Duration::ZERO)),
            stalled: None,
        }
    }

    /// The socket, why the last head was refused, and whether the peer may still be sending.
    pub(super) fn into_parts(self) -> (TcpStream, Option<HeadFault>, Unread) {
        let unread = match self.place {
            Place::Message { left: 0 } | Place::Head { .. } if self.start == self.end => {
                Unread::None
            }
            Place::End if self.fault.is_none() => Unread::None,
            _ => Unread::Maybe,
        };
        (self.stream, self.fault, unread)
    }

    fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn refuse(&mut self, fault: HeadFault) {
        self.fault = Some(fault);
        self.place = Place::End;
    }

    /// Looks at what there is of a head.
    fn judge(&mut self, seen: usize) {
        let bytes = self.buffered();
        self.place = match head::end(bytes, seen) {
            Ok(None) if bytes.len() == self.buffer.len() => {
                return self.refuse(HeadFault::TooLarge);
            }
            Ok(None) => Place::Head { seen: bytes.len() },
            Ok(Some(end)) => match head::judge(bytes.get(..end).unwrap_or_default()) {
                Ok(Framing::Length(length)) => {
                    Place::Message { left: length.saturating_add(end as u64) }
                }
                Ok(Framing::Chunked) => Place::Last,
                Err(fault) => return self.refuse(fault),
            },
            Err(fault) => return self.refuse(fault),
        };
        if !matches!(self.place, Place::Head { .. }) {
            (self.first, self.waiting) = (false, None);
        }
    }

    /// Ready when the peer has been waited for too long; the connection then ends.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.busy.poll_free(cx).is_pending() {
            self.waiting = None;
            return Poll::Pending;
        }
        let (wait, time) = match (self.start == self.end, self.first) {
            (true, true) => (Wait::FirstByte, self.limits.first_byte),
            (true, false) => (Wait::NextHead, self.limits.idle),
            (false, _) => (Wait::RestOfHead, self.limits.head),
        };
        if self.waiting != Some(wait) {
            self.waiting = Some(wait);
            self.deadline.as_mut().reset(Instant::now() + time);
        }
        ready!(self.deadline.as_mut().poll(cx));
        match wait {
            Wait::RestOfHead => self.refuse(HeadFault::TooSlow),
            Wait::FirstByte | Wait::NextHead => self.place = Place::End,
        }
        Poll::Ready(())
    }

    /// Reads into the buffer; the number of bytes, 0 at the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let mut space = ReadBuf::new(self.buffer.get_mut(self.end..).unwrap_or_default());
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space))?;
        let read = space.filled().len();
        self.end += read;
        Poll::Ready(Ok(read))
    }

    /// Hands on bytes of a judged message, at most `left`; how many.
    fn poll_hand_on(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
        left: u64,
    ) -> Poll<io::Result<u64>> {
        if self.start == self.end {
            if out.remaining() as u64 <= left {
                let before = out.filled().len();
                ready!(Pin::new(&mut self.stream).poll_read(cx, out))?;
                return Poll::Ready(Ok((out.filled().len() - before) as u64));
            }
            ready!(self.poll_fill(cx))?;
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(out.remaining());
        let buffered = self.buffered();
        let handed = buffered.len().min(most);
        out.put_slice(buffered.get(..handed).unwrap_or_default());
        self.start += handed;
        Poll::Ready(Ok(handed as u64))
    }

    /// Passes a write's result on, unless the peer has read nothing for too long.
    fn poll_stall<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let time = self.limits.write_stall;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(time)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// Whether the peer may still be sending what nobody will read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    None,
    Maybe,
}

impl AsyncRead for StrictIo {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match this.place {
                Place::Head { seen } if seen < this.end - this.start => this.judge(seen),
                Place::Head { .. } => {
                    if this.poll_deadline(cx).is_ready() {
                        continue;
                    }
                    if ready!(this.poll_fill(cx))? == 0 {
                        this.place = Place::End;
                        return Poll::Ready(Ok(()));
                    }
                }
                Place::Message { left: 0 } => this.place = Place::Head { seen: 0 },
                Place::Message { left } => {
                    let handed = ready!(this.poll_hand_on(cx, out, left))?;
                    this.place = Place::Message { left: left - handed };
                    return Poll::Ready(Ok(()));
                }
                Place::Last => {
                    return this.poll_hand_on(cx, out, u64::MAX).map_ok(|_| ());
                }
                // A call that is being worked on is finished first.
                Place::End => {
                    if this.fault.is_some() {
                        ready!(this.busy.poll_free(cx));
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for StrictIo {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.poll_stall(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.poll_stall(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    /// Left to whoever holds the socket after hyper.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

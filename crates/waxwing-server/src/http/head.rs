//! Judges the head of a request before hyper sees it: one meaning or none.
//!
//! hyper accepts a length together with chunks, the same length twice, two hosts, no host and bare
//! line feeds. Whoever stands in front of it may have read such a head in another way.

/// How the bytes behind a head are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes, then the next head.
    Length(u64),
    /// Chunks. The connection ends with them, so that nobody has to find their end twice.
    Chunked,
}

/// Why a head is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadFault {
    #[error("the request's head is not HTTP/1.1: {0}")]
    Malformed(&'static str),
    #[error("the HTTP version is not 1.1 or 1.0")]
    Version,
    #[error("the transfer encoding is not chunked")]
    Encoding,
    #[error("the request's head is too large")]
    TooLarge,
    #[error("the request's head took too long")]
    TooSlow,
}

impl HeadFault {
    /// Status and reason phrase.
    pub(super) const fn status(self) -> (u16, &'static str) {
        match self {
            Self::Malformed(_) => (400, "Bad Request"),
            Self::Version => (505, "HTTP Version Not Supported"),
            Self::Encoding => (501, "Not Implemented"),
            Self::TooLarge => (431, "Request Header Fields Too Large"),
            Self::TooSlow => (408, "Request Timeout"),
        }
    }
}

/// Looks for the end of the head in `bytes`, of which the first `seen` were looked at before: the
/// place behind its empty line, if that has come.
pub(super) fn end(bytes: &[u8], seen: usize) -> Result<Option<usize>, HeadFault> {
    for (at, byte) in bytes.iter().enumerate().skip(seen) {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        match (before, byte) {
            (Some(b'\r'), b'\n') => {
                if bytes.get(..at - 1).is_some_and(|before| before.ends_with(b"\r\n")) {
                    return Ok(Some(at + 1));
                }
            }
            (_, b'\n') => return Err(HeadFault::Malformed("a line feed without carriage return")),
            (Some(b'\r'), _) => {
                return Err(HeadFault::Malformed("a carriage return without line feed"));
            }
            (_, b'\r' | b'\t' | b' '..=b'~' | 0x80..) => {}
            _ => return Err(HeadFault::Malformed("a control character")),
        }
    }
    Ok(None)
}

/// Judges a whole head, its empty line included.
pub(super) fn judge(head: &[u8]) -> Result<Framing, HeadFault> {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.trim_suffix_cr());
    let version = request_line(lines.next().unwrap_or_default())?;
    let (mut hosts, mut length, mut chunked) = (0, None, None);
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = field(line)?;
        if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let value = decimal(value).ok_or(HeadFault::Malformed("a length that is no number"))?;
            if length.replace(value).is_some() {
                return Err(HeadFault::Malformed("more than one Content-Length"));
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let is_chunked = value.eq_ignore_ascii_case(b"chunked");
            if chunked.replace(is_chunked).is_some() {
                return Err(HeadFault::Malformed("more than one Transfer-Encoding"));
            }
        }
    }
    if hosts != 1 {
        return Err(HeadFault::Malformed("there must be exactly one Host"));
    }
    match (length, chunked, version) {
        (Some(_), Some(_), _) => {
            Err(HeadFault::Malformed("Content-Length and Transfer-Encoding together"))
        }
        (_, Some(_), Version::Http10) => {
            Err(HeadFault::Malformed("HTTP/1.0 has no Transfer-Encoding"))
        }
        (None, Some(false), _) => Err(HeadFault::Encoding),
        (None, Some(true), _) => Ok(Framing::Chunked),
        (length, None, _) => Ok(Framing::Length(length.unwrap_or(0))),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

fn request_line(line: &[u8]) -> Result<Version, HeadFault> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    let (Some(method), Some(target), Some(version), None) = (method, target, version, parts.next())
    else {
        return Err(HeadFault::Malformed("the request line is not METHOD TARGET VERSION"));
    };
    if !is_token(method) {
        return Err(HeadFault::Malformed("the method is none"));
    }
    if !(target.starts_with(b"/") || target == b"*") {
        return Err(HeadFault::Malformed("the target must be a path"));
    }
    match version {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        _ if version.starts_with(b"HTTP/") => Err(HeadFault::Version),
        _ => Err(HeadFault::Malformed("the request line is not METHOD TARGET VERSION")),
    }
}

/// Name and value of a field line, the value without the blanks around it.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), HeadFault> {
    let colon = line.iter().position(|byte| *byte == b':');
    let (name, value) = colon
        .and_then(|colon| line.split_at_checked(colon))
        .ok_or(HeadFault::Malformed("a field line without colon"))?;
    if !is_token(name) {
        return Err(HeadFault::Malformed("a field name with other than token characters"));
    }
    Ok((name, value.get(1..).unwrap_or_default().trim_ascii()))
}

fn is_token(text: &[u8]) -> bool {
    let token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    !text.is_empty() && text.iter().all(token)
}

fn decimal(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

trait TrimCr {
    fn trim_suffix_cr(&self) -> &[u8];
}

impl TrimCr for [u8] {
    fn trim_suffix_cr(&self) -> &[u8] {
        self.strip_suffix(b"\r").unwrap_or(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn read(head: &str) -> Result<Framing, HeadFault> {
        let end = end(head.as_bytes(), 0)?.expect("a whole head");
        assert_eq!(end, head.len());
        judge(head.as_bytes())
    }

    fn with(fields: &str) -> Result<Framing, HeadFault> {
        read(&format!("POST /v1/call HTTP/1.1\r\n{fields}\r\n"))
    }

    #[test]
    fn one_framing_or_none() {
        assert_eq!(with("Host: a\r\n"), Ok(Framing::Length(0)));
        assert_eq!(with("HOST:a\r\ncontent-length:\t 12 \r\n"), Ok(Framing::Length(12)));
        assert_eq!(with("Host: a\r\nTransfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
        for ambiguous in [
            "Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n",
            "Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
            "Host: a\r\nContent-Length: 1, 1\r\n",
            "Host: a\r\nContent-Length: +1\r\n",
            "Host: a\r\nContent-Length: 0x1\r\n",
            "Host: a\r\nContent-Length:\r\n",
            "Host: a\r\nContent-Length: 99999999999999999999\r\n",
            "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Host: a\r\nContent-Length : 1\r\n",
            "Host: a\r\n Content-Length: 1\r\n",
            "Host: a\r\nX: 1\r\n\tfolded\r\n",
            "Host: a\r\nno colon\r\n",
            "Host: a\r\n: no name\r\n",
        ] {
            assert!(matches!(with(ambiguous), Err(HeadFault::Malformed(_))), "{ambiguous:?}");
        }
        let gzip = with("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n");
        assert_eq!(gzip, Err(HeadFault::Encoding));
    }

    #[test]
    fn exactly_one_host() {
        for hosts in ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nhost: b\r\n"] {
            assert!(matches!(with(hosts), Err(HeadFault::Malformed(_))), "{hosts:?}");
        }
    }

    #[test]
    fn the_request_line_has_three_parts() {
        for (line, fault) in [
            ("POST /v1/call HTTP/2.0", HeadFault::Version),
            ("PRI * HTTP/2.0", HeadFault::Version),
            ("POST  /v1/call HTTP/1.1", HeadFault::Malformed("")),
            ("POST /v1/call", HeadFault::Malformed("")),
            ("POST http://other/v1/call HTTP/1.1", HeadFault::Malformed("")),
            ("CONNECT other:443 HTTP/1.1", HeadFault::Malformed("")),
            ("P@ST /v1/call HTTP/1.1", HeadFault::Malformed("")),
            ("POST /v1/call HTTP/1.1 ", HeadFault::Malformed("")),
        ] {
            let found = read(&format!("{line}\r\nHost: a\r\n\r\n")).unwrap_err();
            assert_eq!(found.status(), fault.status(), "{line}");
        }
        let chunks = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(matches!(read(chunks), Err(HeadFault::Malformed(_))));
    }

    #[test]
    fn lines_end_in_one_way_and_hold_no_control_characters() {
        for bytes in ["GET / HTTP/1.1\n", "GET / HTTP/1.1\r\r\n", "GET /\0", "\x16\x03\x01", "\n"] {
            assert!(end(bytes.as_bytes(), 0).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// However a head comes in pieces, it is found and judged as it is in one.
        #[test]
        fn pieces_change_nothing(cuts in proptest::collection::vec(0_usize..60, 0..8)) {
            let head = b"POST /v1/call HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nbody";
            let (mut seen, mut have, mut found) = (0, 0, None);
            for piece in cuts.into_iter().chain([head.len()]) {
                have = (have + piece).min(head.len());
                found = end(&head[..have], seen).unwrap();
                if found.is_some() {
                    break;
                }
                seen = have;
            }
            prop_assert_eq!(found, Some(head.len() - 4));
        }

        /// Any bytes at all get an answer.
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Some(end)) = end(&bytes, 0) {
                prop_assert!(end <= bytes.len());
                let _ = judge(&bytes[..end]);
            }
            let _ = judge(&bytes);
        }
    }
}

//! What a program writes to stdout: kept up to a bound, then read as one strict JSON value.

use waxwing_core::{CanonicalJson, Limits};
use waxwing_tools::ToolError;

/// The bytes so far.
#[derive(Debug)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    most: usize,
}

impl Output {
    /// Nothing yet, and at most so many bytes.
    pub(crate) fn within(most: usize) -> Self {
        Self { bytes: Vec::new(), most }
    }

    /// Takes more of it.
    pub(crate) fn take(&mut self, chunk: &[u8]) -> Result<(), ToolError> {
        if chunk.len() > self.most - self.bytes.len() {
            let blame = format!("has more than {} bytes", self.most);
            return Err(ToolError::unreadable_output(blame, "the program was stopped"));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// The one JSON value that it is.
    pub(crate) fn read(&self) -> Result<CanonicalJson<'static>, ToolError> {
        if self.bytes.trim_ascii().is_empty() {
            let reason = "the program ended well and wrote nothing to stdout";
            return Err(ToolError::unreadable_output("is empty", reason));
        }
        let limits = Limits::DEFAULT.with_max_message(self.most);
        match CanonicalJson::read(&self.bytes, &limits) {
            Ok(value) => Ok(value.into_owned()),
            Err(error) => {
                let reason = format!("{error}, at {:?}", error.path());
                Err(ToolError::unreadable_output("is not one JSON value", reason))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<CanonicalJson<'static>, ToolError> {
        let mut output = Output::within(64);
        text.chunks(3).try_for_each(|chunk| output.take(chunk))?;
        output.read()
    }

    #[test]
    fn one_value_of_any_spelling() {
        for (text, canonical) in [
            ("{\"b\": 1.0,\n \"a\": []}\n", r#"{"a":[],"b":1}"#),
            ("\r\n 7 ", "7"),
            ("\"\\u0041\"", "\"A\""),
            ("null", "null"),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap().as_str(), canonical);
        }
    }

    #[test]
    fn all_else_blames_the_output() {
        for (text, blame) in [
            (&b""[..], "is empty"),
            (b" \n", "is empty"),
            (b"hello", "is not one JSON value"),
            (b"{} {}", "is not one JSON value"),
            (b"{}{", "is not one JSON value"),
            (b"\"\xff\"", "is not one JSON value"),
            (b"{\"a\":1,\"a\":2}", "is not one JSON value"),
            (b"NaN", "is not one JSON value"),
            (b"9007199254740993", "is not one JSON value"),
            (&[b' '; 65], "has more than 64 bytes"),
        ] {
            match read(text) {
                Err(error) => assert_eq!(error.message(), blame, "{text:?}"),
                Ok(value) => panic!("{text:?} is read as {value:?}"),
            }
        }
        assert_eq!(read(&[b'1'; 1]).unwrap().as_str(), "1");
    }
}

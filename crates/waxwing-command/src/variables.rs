//! The environment of a program: what is passed through by name, what is set, and nothing else.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use crate::fault::CommandFault;

/// What most programs need in order to run at all.
const ALWAYS: [&str; 7] = ["PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ"];

/// Names that the server sets itself begin so.
const RESERVED: &str = "WAXWING_";

/// Variables of a program beside `PATH`, `HOME`, `LANG`, `LC_ALL`, `LC_CTYPE`, `TMPDIR` and `TZ`,
/// which are always passed through.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Variables {
    /// Names that are passed through from the server, where it has them.
    pub pass: Vec<String>,
    /// Values that are the same for each call; they win over what is passed through.
    pub set: BTreeMap<String, String>,
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values may be secrets.
        let set: Vec<_> = self.set.keys().collect();
        f.debug_struct("Variables").field("pass", &self.pass).field("set", &set).finish()
    }
}

impl Variables {
    pub(crate) fn faults(&self) -> impl Iterator<Item = CommandFault> {
        let names = self.pass.iter().chain(self.set.keys()).filter_map(|name| {
            let why = match name.as_str() {
                "" => "has no name",
                name if name.contains(['=', '\0']) => "has a name with = or a zero byte in it",
                name if name.starts_with(RESERVED) => {
                    "has a name that begins with WAXWING_, as only the server's own do"
                }
                _ => return None,
            };
            Some(CommandFault::VariableName { name: name.clone(), why })
        });
        let values = self.set.iter().filter(|(_, value)| value.contains('\0'));
        names.chain(values.map(|(name, _)| CommandFault::VariableValue { name: name.clone() }))
    }

    /// What a program gets of the server's variables and the configured ones.
    pub(crate) fn choose(
        &self,
        server: &BTreeMap<OsString, OsString>,
    ) -> Vec<(OsString, OsString)> {
        let passed = ALWAYS.into_iter().chain(self.pass.iter().map(String::as_str));
        let mut chosen: BTreeMap<OsString, OsString> = passed
            .filter_map(|name| server.get_key_value(&OsString::from(name)))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        chosen.extend(self.set.iter().map(|(name, value)| (name.into(), value.into())));
        chosen.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_that_is_not_named() {
        let server = [("PATH", "/bin"), ("HOME", "/root"), ("TOKEN", "t"), ("SECRET", "s")]
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        let variables = Variables {
            pass: vec!["TOKEN".to_owned(), "MISSING".to_owned()],
            set: [("HOME".to_owned(), "/tmp".to_owned())].into(),
        };
        let expected = [("HOME", "/tmp"), ("PATH", "/bin"), ("TOKEN", "t")]
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        assert_eq!(variables.choose(&server), expected);
        assert_eq!(variables.faults().count(), 0);
        assert!(!format!("{variables:?}").contains("/tmp"));
    }

    #[test]
    fn every_bad_variable_is_named() {
        let variables = Variables {
            pass: vec![String::new(), "A=B".to_owned()],
            set: [("WAXWING_JOB_ID", "1"), ("ZERO", "a\0b"), ("FINE", "")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        };
        let faults: Vec<_> = variables.faults().map(|fault| fault.to_string()).collect();
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(faults[3].contains("\"ZERO\"") && !faults[3].contains("a\0b"), "{faults:?}");
    }
}

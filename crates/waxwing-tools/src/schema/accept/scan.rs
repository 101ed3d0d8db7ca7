//! One pass over canonical text beside the shape it should have.
//!
//! The text is known to be canonical, so nothing here checks grammar; still no text, whatever it
//! is, makes a scan panic or run past the end.

use serde_json::Value;

use super::shape::{Kinds, Need, Rule, Shape};

/// A place in canonical text. `None` of its methods means: not surely valid.
pub(super) struct Scan<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over `byte` if it is next.
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Steps over one value of `shape`.
    pub(super) fn value(&mut self, shape: &Shape) -> Option<()> {
        match shape {
            Shape::Any => self.any(),
            Shape::Ask => None,
            Shape::Rule(rule) => self.ruled(rule),
        }
    }

    fn ruled(&mut self, rule: &Rule) -> Option<()> {
        let start = self.at;
        match self.peek()? {
            b'"' => {
                rule.kinds.has(Kinds::STRING)?;
                self.string(rule)?;
            }
            b'{' => {
                rule.kinds.has(Kinds::OBJECT)?;
                self.object(rule)?;
            }
            b'[' => {
                rule.kinds.has(Kinds::ARRAY)?;
                self.array(rule)?;
            }
            b't' | b'f' => {
                rule.kinds.has(Kinds::BOOLEAN)?;
                self.word()?;
            }
            b'n' => {
                rule.kinds.has(Kinds::NULL)?;
                self.word()?;
            }
            _ => self.number(rule)?,
        }
        if let Some(options) = &rule.options {
            let text = self.text.get(start..self.at)?;
            options.iter().any(|option| **option == *text).then_some(())?;
        }
        if !rule.any_of.is_empty() {
            let end = self.at;
            let fits = |shape: &Shape| {
                let mut again = Scan { text: self.text, at: start };
                again.value(shape).is_some() && again.at == end
            };
            rule.any_of.iter().any(fits).then_some(())?;
        }
        Some(())
    }

    fn word(&mut self) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let word = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word))?;
        self.at += word.len();
        Some(())
    }

    fn number(&mut self, rule: &Rule) -> Option<()> {
        let start = self.at;
        self.skip_number()?;
        if rule.kinds.has(Kinds::NUMBER).is_some() && rule.takes_any_number() {
            return Some(());
        }
        let text = self.text.get(start..self.at)?;
        let is_integer = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-'));
        rule.kinds.has(if is_integer { Kinds::INTEGER } else { Kinds::NUMBER })?;
        if rule.takes_any_number() {
            return Some(());
        }
        let number: f64 = if is_integer {
            // Canonical integers are within 2^53, so none is rounded on the way.
            text.parse::<i64>().ok()? as f64
        } else {
            text.parse().ok()?
        };
        let within =
            number >= rule.low && number > rule.above && number <= rule.high && number < rule.below;
        within.then_some(())
    }

    fn skip_number(&mut self) -> Option<()> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e');
        let length = rest.iter().position(|byte| !part(byte)).unwrap_or(rest.len());
        rest.get(length.checked_sub(1)?)?.is_ascii_digit().then_some(())?;
        self.at += length;
        Some(())
    }

    fn string(&mut self, rule: &Rule) -> Option<()> {
        let start = self.at;
        let inside = self.skip_string()?;
        if !rule.length.is_all() {
            rule.length.holds(characters(inside))?;
        }
        if rule.checks.is_empty() {
            return Some(());
        }
        let value = if inside.contains('\\') {
            serde_json::from_str(self.text.get(start..self.at)?).ok()?
        } else {
            Value::from(inside)
        };
        rule.checks.iter().all(|check| check.is_valid(&value)).then_some(())
    }

    /// Steps over a string; its text between the quotes, still escaped.
    fn skip_string(&mut self) -> Option<&'t str> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            self.at += found;
            if self.peek()? == b'"' {
                self.at += 1;
                return self.text.get(start..self.at - 1);
            }
            self.at += 2;
        }
    }

    fn array(&mut self, rule: &Rule) -> Option<()> {
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return rule.count.holds(0);
        }
        let mut count = 0;
        loop {
            self.value(rule.prefix.get(count).unwrap_or(&rule.items))?;
            count += 1;
            if self.take(b',').is_none() {
                self.take(b']')?;
                return rule.count.holds(count);
            }
        }
    }

    fn object(&mut self, rule: &Rule) -> Option<()> {
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            (rule.required == 0).then_some(())?;
            return rule.members.holds(0);
        }
        // Members and properties are in the same order, so each search goes on from the last.
        let (mut next, mut needed, mut count) = (0, 0, 0);
        loop {
            let name = self.skip_string()?;
            self.take(b':')?;
            let later = rule.properties.iter().skip(next);
            match later.enumerate().find(|(_, property)| *property.name == *name) {
                Some((ahead, property)) => {
                    next += ahead + 1;
                    needed += usize::from(property.need == Need::Required);
                    self.value(&property.shape)?;
                }
                None => {
                    let passed = rule.properties.iter().take(next);
                    passed.clone().all(|property| *property.name != *name).then_some(())?;
                    self.value(&rule.additional)?;
                }
            }
            count += 1;
            if self.take(b',').is_none() {
                self.take(b'}')?;
                (needed == rule.required).then_some(())?;
                return rule.members.holds(count);
            }
        }
    }

    /// Steps over any value, however deep, without recursion.
    fn any(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.skip_string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                b't' | b'f' | b'n' => self.word()?,
                b'0'..=b'9' | b'-' => self.skip_number()?,
                _ => return None,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

/// Characters of canonical string text: an escape is one.
fn characters(escaped: &str) -> usize {
    let mut count = 0;
    let mut rest = escaped.chars();
    while let Some(c) = rest.next() {
        count += 1;
        if c == '\\' && rest.next() == Some('u') {
            // Canonical text escapes only control characters, so never half of a pair.
            rest.nth(3);
        }
    }
    count
}

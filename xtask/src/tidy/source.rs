//! Detectors for Rust source. They read tokens rather than syntax trees, since tokens also show
//! what stands inside a macro's braces.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::Finding;

const FILE_WARN: usize = 400;
const FILE_MAX: usize = 600;
const FUNCTION_MAX: usize = 80;

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut scan = Scan { path, test_lines: 0, found: Vec::new() };
    let first = text.lines().next().unwrap_or("");
    if !first.starts_with("//! ") || first.len() < "//! A word.".len() {
        scan.error(1, "does not begin with `//!` and what the file is");
    }
    let test_file = is_test(path);
    match text.parse::<TokenStream>() {
        Ok(tokens) => scan.tokens(tokens, test_file),
        Err(error) => scan.error(error.span().start().line, "cannot be read as Rust"),
    }
    let lines = text.lines().count() - scan.test_lines;
    if !test_file && lines > FILE_MAX {
        scan.found.push(Finding::error(
            path,
            format!("{lines} lines without its tests, over {FILE_MAX}"),
        ));
    } else if !test_file && lines > FILE_WARN {
        scan.found.push(Finding::warning(
            path,
            format!("{lines} lines without its tests, over {FILE_WARN}"),
        ));
    }
    scan.found
}

/// Files that are tests from the first line to the last.
fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.split('/').any(|part| part == "tests")
}

struct Scan<'a> {
    path: &'a str,
    /// Lines of items that are only there for tests.
    test_lines: usize,
    found: Vec<Finding>,
}

impl Scan<'_> {
    fn error(&mut self, line: usize, what: impl Into<String>) {
        self.found.push(Finding::error(format!("{}:{line}", self.path), what));
    }

    fn tokens(&mut self, tokens: TokenStream, in_test: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        // The line on which an item begins that is only there for tests.
        let mut test_item: Option<usize> = None;
        let mut rest = tokens.as_slice();
        while let Some((token, after)) = rest.split_first() {
            rest = after;
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let inner =
                        matches!(after.first(), Some(TokenTree::Punct(p)) if p.as_char() == '!');
                    let after = after.get(usize::from(inner)..).unwrap_or(&[]);
                    if let Some((TokenTree::Group(group), after)) = after.split_first()
                        && group.delimiter() == Delimiter::Bracket
                    {
                        self.attribute(group);
                        if !inner && marks_test(group) {
                            test_item = test_item.or(Some(punct.span().start().line));
                        }
                        rest = after;
                    }
                }
                TokenTree::Ident(ident) => {
                    let line = ident.span().start().line;
                    match ident.to_string().as_str() {
                        "fn" if !in_test && test_item.is_none() => self.function(line, after),
                        "pub" => self.re_export(line, after),
                        word @ ("todo" | "unimplemented") if is_punct(after.first(), '!') => {
                            self.error(line, format!("`{word}!`: finish it"));
                        }
                        _ => {}
                    }
                }
                TokenTree::Group(group) => {
                    let brace = group.delimiter() == Delimiter::Brace;
                    self.tokens(group.stream(), in_test || test_item.is_some());
                    if brace && let Some(start) = test_item.take() {
                        self.count_test(start, group.span_close().end().line, in_test);
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => {
                    if let Some(start) = test_item.take() {
                        self.count_test(start, punct.span().end().line, in_test);
                    }
                }
                _ => {}
            }
        }
    }

    /// Counts an item's lines once, not again for the tests inside it.
    fn count_test(&mut self, first: usize, last: usize, in_test: bool) {
        if !in_test {
            self.test_lines += last + 1 - first;
        }
    }

    fn attribute(&mut self, group: &Group) {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        let line = group.span_open().start().line;
        let (Some(TokenTree::Ident(name)), arguments) =
            (tokens.first(), tokens.get(1..).unwrap_or(&[]))
        else {
            return;
        };
        match name.to_string().as_str() {
            "allow" | "expect" => {
                if let Some(TokenTree::Group(list)) = arguments.first() {
                    self.suppression(line, list);
                }
            }
            "cfg_attr" => {
                if let Some(TokenTree::Group(list)) = arguments.first() {
                    self.conditional(line, list);
                }
            }
            "ignore" => self.error(line, "an ignored test: run it or delete it"),
            "doc" => {
                let text = arguments.iter().map(ToString::to_string).collect::<String>();
                let fence = text.trim_start_matches(['=', 'r', '#', '"', ' ']).strip_prefix("```");
                let info = fence.unwrap_or("").trim_end_matches(['#', '"']);
                if info.split([',', ' ']).any(|word| word == "ignore") {
                    self.error(line, "an example that is not compiled: `ignore`");
                }
            }
            _ => {}
        }
    }

    /// `cfg_attr(condition, attribute, ...)`: each attribute is checked as if it stood alone.
    fn conditional(&mut self, line: usize, list: &Group) {
        let tokens: Vec<TokenTree> = list.stream().into_iter().collect();
        for attribute in tokens.split(|token| is_punct(Some(token), ',')).skip(1) {
            match attribute {
                [TokenTree::Ident(name), TokenTree::Group(list)]
                    if *name == "allow" || *name == "expect" =>
                {
                    self.suppression(line, list);
                }
                [TokenTree::Ident(name), ..] if *name == "ignore" => {
                    self.error(line, "an ignored test: run it or delete it");
                }
                _ => {}
            }
        }
    }

    /// The list of `allow(...)` or `expect(...)`.
    fn suppression(&mut self, line: usize, list: &Group) {
        let tokens: Vec<TokenTree> = list.stream().into_iter().collect();
        let has = |word: &str| {
            tokens.iter().any(|token| matches!(token, TokenTree::Ident(i) if *i == word))
        };
        if has("unsafe_code") {
            self.error(line, "unsafe code is forbidden, without exceptions");
        }
        let reasoned = tokens.windows(3).any(|three| {
            matches!(three, [TokenTree::Ident(key), TokenTree::Punct(equals), TokenTree::Literal(_)]
                if *key == "reason" && equals.as_char() == '=')
        });
        if !reasoned {
            self.error(line, "a lint is silenced without a reason");
        }
    }

    /// `after` is what follows `fn`: the body is the first group in braces before a semicolon.
    fn function(&mut self, line: usize, after: &[TokenTree]) {
        let Some(TokenTree::Ident(name)) = after.first() else { return };
        let end = after.iter().find(|token| match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            other => is_punct(Some(other), ';'),
        });
        if let Some(TokenTree::Group(body)) = end {
            let lines = body.span_close().end().line + 1 - line;
            if lines > FUNCTION_MAX {
                self.error(line, format!("`{name}` has {lines} lines, over {FUNCTION_MAX}"));
            }
        }
    }

    /// `after` is what follows `pub`: a `use` that ends in `*` hides what the crate offers.
    fn re_export(&mut self, line: usize, after: &[TokenTree]) {
        let after = match after.split_first() {
            Some((TokenTree::Group(_), after)) => after,
            _ => after,
        };
        let Some((TokenTree::Ident(word), path)) = after.split_first() else { return };
        let path = path.iter().take_while(|token| !is_punct(Some(token), ';'));
        if *word == "use" && path.clone().any(has_star) {
            self.error(line, "a glob re-export: name what is offered");
        }
    }
}

fn is_punct(token: Option<&TokenTree>, c: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == c)
}

fn has_star(token: &TokenTree) -> bool {
    match token {
        TokenTree::Group(group) => group.stream().into_iter().any(|token| has_star(&token)),
        other => is_punct(Some(other), '*'),
    }
}

/// Whether an attribute says that its item is only there for tests: `#[test]`, `#[tokio::test]`,
/// `#[cfg(test)]`.
fn marks_test(attribute: &Group) -> bool {
    let tokens: Vec<TokenTree> = attribute.stream().into_iter().collect();
    let path: Vec<_> =
        tokens.iter().take_while(|token| !matches!(token, TokenTree::Group(_))).collect();
    let named = |token: Option<&&TokenTree>, word: &str| matches!(token, Some(TokenTree::Ident(i)) if *i == word);
    match tokens.get(path.len()) {
        Some(TokenTree::Group(condition)) if named(path.first(), "cfg") => {
            asks_for_test(condition.stream())
        }
        _ => named(path.last(), "test"),
    }
}

/// Whether a `cfg` condition has `test` in it, other than under `not`.
fn asks_for_test(condition: TokenStream) -> bool {
    let mut negated = false;
    condition.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => {
            negated = ident == "not";
            ident == "test"
        }
        TokenTree::Group(group) => !negated && asks_for_test(group.stream()),
        _ => false,
    })
}

#[cfg(test)]
mod tests;

//! `waxwing describe`: one tool. A person gets its text and its arguments as a table, a program the
//! definition.

mod members;

use std::fmt::Write as _;

use waxwing_client::ToolListing;

use crate::cli::DescribeArgs;
use crate::config::client::Profile;
use crate::exit::{Exit, Failure};
use crate::output::{self, Reader};
use crate::table::{Canvas, Paint, flowed};
use crate::terminal;

pub(super) async fn run(args: DescribeArgs) -> Result<(), Failure> {
    let client = Profile::client(&args.profile.profile)?;
    let tools = client.list_tools().await?;
    let Some(tool) = tools.iter().find(|tool| tool.name == args.tool) else {
        return Err(unknown(args.tool.as_str(), &tools));
    };
    match Reader::told(args.json) {
        Reader::Person => output::print_text(&page(tool, output::canvas())),
        Reader::Program => output::print(tool),
    }
}

fn unknown(name: &str, tools: &[ToolListing]) -> Failure {
    if waxwing_tools::RESERVED_TOOLS.contains(&name) {
        let text = format!("{name} is part of every server and has no definition of its own");
        return Failure::new(Exit::Failed, text);
    }
    let near = waxwing_tools::similar(name, tools.iter().map(|tool| tool.name.as_str()));
    let hint = match near.as_slice() {
        [] => "`waxwing list` has every name".to_owned(),
        names => format!("did you mean {}?", names.join(" or ")),
    };
    Failure::new(Exit::Failed, format!("this client sees no tool named {name}: {hint}"))
}

/// What a person reads.
fn page(tool: &ToolListing, canvas: Canvas) -> String {
    let (bold, off) = match canvas.paint {
        Paint::Styled => ("\u{1b}[1m", "\u{1b}[0m"),
        Paint::Plain => ("", ""),
    };
    let mut text = format!("{bold}{}{off}", tool.name);
    // A `String` takes whatever it is given.
    if let Some(title) = &tool.title {
        let _ = write!(text, "  {}", terminal::printable(title).replace('\n', " "));
    }
    text.push('\n');
    for line in terminal::printable(&tool.description).lines() {
        for part in flowed(line, canvas.width.unwrap_or(usize::MAX)) {
            let _ = writeln!(text, "{part}");
        }
    }
    let _ = writeln!(text, "\nmode    {}", terminal::printable(&tool.mode));
    let _ = writeln!(text, "digest  {}", tool.digest);
    for (name, hint) in tool.annotations.as_object().into_iter().flatten() {
        let _ = writeln!(text, "hint    {}: {hint}", terminal::printable(name));
    }
    for (head, schema) in [("arguments", &tool.input_schema), ("output", &tool.output_schema)] {
        let _ = writeln!(text, "\n{bold}{head}{off}");
        match members::table(schema) {
            Some(table) => text.push_str(&table.render(canvas)),
            None => {
                let _ = writeln!(text, "{}", members::summary(schema));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_tells_everything_and_cannot_steer_the_terminal() {
        let tool: ToolListing = serde_json::from_value(json!({
            "name": "transfer", "title": "Send\u{1b}[2J money", "mode": "sync",
            "description": "Moves money\u{7}.\nIt cannot be undone.",
            "input_schema": {"type": "object", "required": ["amount"], "properties": {
                "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": 100, "description": "In euros."},
                "to": {"type": "object", "required": ["iban"], "properties": {
                    "iban": {"type": "string", "pattern": "^[A-Z]{2}"}}},
                "tags": {"type": "array", "maxItems": 3, "items": {"enum": ["a", "b"]}}}},
            "output_schema": {"type": "integer", "description": "Its number."},
            "annotations": {"destructive": true},
            "digest": "0".repeat(64),
        }))
        .unwrap();
        let page = page(&tool, Canvas { width: None, paint: Paint::Plain });
        assert_eq!(
            page,
            format!(
                "transfer  Send\u{fffd}[2J money\nMoves money\u{fffd}.\nIt cannot be undone.\n\n\
                 mode    sync\ndigest  {}\nhint    destructive: true\n\n\
                 arguments\n\
                 NAME     TYPE              NEEDED  LIMITS                        DESCRIPTION\n\
                 amount   number            yes     above 0, at most 100          In euros.\n\
                 tags     array of strings  no      at most 3 items, each a or b\n\
                 to       object            no\n\
                 to.iban  string            yes     matches ^[A-Z]{{2}}\n\n\
                 output\ninteger  Its number.\n",
                "0".repeat(64)
            )
        );
    }
}

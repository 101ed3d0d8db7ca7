//! `list_tools`: stable order, bounded pages, cursors that any replica understands, digests.

use serde_json::{Value, json};
use waxwing_tools::{Registry, Tool, ToolError, ToolMode, WrittenSchemas};

use crate::tools::{Nothing, json_of, registry, server};

fn many(count: usize, description: usize) -> Registry {
    (0..count)
        .map(|i| {
            let name = format!("tool_{:04}", (i * 7919) % count);
            Tool::sync(
                name,
                "d".repeat(description),
                |_: Nothing| async move { Ok::<_, ToolError>(1) },
            )
        })
        .fold(Registry::builder(), |builder, tool| builder.tool(tool))
        .build(&server())
        .unwrap()
}

fn names(registry: &Registry, visible: fn(&str) -> bool) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let seen = |definition: &waxwing_tools::ToolDefinition| visible(definition.name.as_str());
        let page = registry.page(cursor.as_deref(), seen).unwrap();
        let name = |tool: &waxwing_tools::ListedTool| tool.definition.name.as_str().to_owned();
        pages.push(page.tools.iter().map(name).collect());
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return pages,
        }
    }
}

#[test]
fn every_tool_is_listed_once_in_order_of_name() {
    let registry = many(200, 10);
    let pages = names(&registry, |_| true);
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 64, 8]);
    let all = pages.concat();
    assert!(all.is_sorted());
    assert_eq!(all.len(), 200);
    assert_eq!(all, registry.iter().map(|t| t.definition.name.to_string()).collect::<Vec<_>>());
}

#[test]
fn exactly_one_page_has_no_next_cursor() {
    assert_eq!(names(&many(64, 10), |_| true).len(), 1);
    assert_eq!(names(&many(65, 10), |_| true).len(), 2);
    let none = Registry::builder().build(&server()).unwrap();
    assert_eq!(json_of(&none.page(None, |_| true).unwrap()).as_str(), r#"{"tools":[]}"#);
}

#[test]
fn pages_are_bounded_in_bytes() {
    let registry = many(150, 4096);
    let mut cursor = None;
    let mut count = 0;
    loop {
        let page = registry.page(cursor.as_deref(), |_| true).unwrap();
        assert!(json_of(&page).as_str().len() < 300 << 10);
        count += page.tools.len();
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(count, 150);
}

#[test]
fn hidden_tools_are_nowhere() {
    let pages = names(&many(200, 10), |name| name.ends_with('7'));
    assert_eq!(pages.concat().len(), 20);
    assert_eq!(pages.len(), 1);
}

#[test]
fn a_cursor_of_a_tool_that_is_gone_works_and_a_foreign_one_is_refused() {
    let registry = many(10, 10);
    let page = registry.page(Some("tool_0004x"), |_| true).unwrap();
    assert_eq!(page.tools.first().unwrap().definition.name.as_str(), "tool_0005");
    assert_eq!(registry.page(Some("zzz"), |_| true).unwrap().tools, []);
    for foreign in ["", "not a name", "a/b", &"x".repeat(65)] {
        let error = registry.page(Some(foreign), |_| true).unwrap_err();
        assert!(error.to_string().contains("next_cursor"), "{error}");
    }
}

#[test]
fn an_entry_is_the_definition_with_its_digest() {
    let registry = registry();
    let tool = registry.tool("batch_sum").unwrap();
    assert_eq!(tool.definition.digest(&server()).unwrap(), tool.digest);
    let entry: Value = json_of(tool).decode().unwrap();
    assert_eq!(
        entry,
        json!({
            "name": "batch_sum",
            "description": "Adds numbers.",
            "mode": "sync",
            "annotations": {},
            "digest": tool.digest.as_str(),
            "input_schema": {
                "type": "object",
                "properties": {
                    "numbers": {
                        "type": "array",
                        "description": "The numbers to add.",
                        "items": {"type": "number"},
                        "minItems": 1,
                    },
                },
                "required": ["numbers"],
                "additionalProperties": false,
            },
            "output_schema": {
                "type": "object",
                "properties": {
                    "count": {"type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32},
                    "total": {"type": "number"},
                },
                "required": ["count", "total"],
                "additionalProperties": false,
            },
        })
    );
}

#[test]
fn title_and_hints_are_told() {
    let schemas = WrittenSchemas { input: json!({"type": "object"}), output: json!(true) };
    let tool = Tool::untyped("t", "d", ToolMode::Job, schemas, |_, args| async move { Ok(args) })
        .title("A tool")
        .annotations(|hints| {
            hints.read_only = Some(true);
            hints.idempotent = Some(false);
        });
    let registry = Registry::builder().tool(tool).build(&server()).unwrap();
    let entry: Value = json_of(registry.tool("t").unwrap()).decode().unwrap();
    assert_eq!(entry["title"], "A tool");
    assert_eq!(entry["mode"], "job");
    assert_eq!(entry["annotations"], json!({"read_only": true, "idempotent": false}));
}

#[test]
fn the_same_tools_have_the_same_digests_whatever_the_order_of_registration() {
    let (a, b) = (many(20, 10), many(20, 10));
    let digests = |registry: &Registry| -> Vec<String> {
        registry.iter().map(|tool| tool.digest.to_string()).collect()
    };
    assert_eq!(digests(&a), digests(&b));
}

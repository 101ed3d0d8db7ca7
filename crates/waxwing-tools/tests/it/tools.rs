//! The tools and types that the tests share.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use waxwing_core::{CanonicalJson, ClientId, Limits, ServerId};
use waxwing_tools::{
    CallContext, CallFailure, Registry, RegistryBuilder, Tool, ToolError, ToolMode, WrittenSchemas,
};

#[derive(Deserialize, Serialize, JsonSchema)]
pub(crate) struct BatchSum {
    /// The numbers to add.
    #[schemars(length(min = 1))]
    pub(crate) numbers: Vec<f64>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Sum {
    pub(crate) count: u32,
    pub(crate) total: f64,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct LongTask {
    /// How long to work, in seconds.
    #[schemars(range(max = 20), extend("exclusiveMinimum" = 0))]
    #[expect(dead_code, reason = "only its schema matters here")]
    pub(crate) seconds: f64,
    /// Given back at the end.
    #[expect(dead_code, reason = "only its schema matters here")]
    pub(crate) payload: Option<serde_json::Map<String, Value>>,
}

/// Books a flight.
#[derive(Deserialize, Serialize, JsonSchema)]
pub(crate) struct Booking {
    /// Who travels.
    #[schemars(length(min = 1, max = 3))]
    travellers: Vec<Traveller>,
    class: Class,
    /// Airport of departure.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    from: String,
    /// Day of departure.
    #[schemars(extend("format" = "date"))]
    date: String,
    /// Seats to hold.
    #[schemars(range(min = 1, max = 9))]
    seats: u8,
    /// A word to the crew.
    #[schemars(length(max = 20))]
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// The most to pay, in euros.
    #[schemars(extend("exclusiveMinimum" = 0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flexible: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pay: Option<Payment>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    extras: BTreeMap<String, u16>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Traveller {
    #[schemars(length(min = 1))]
    name: String,
    age: Option<u8>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Class {
    Economy,
    /// More room.
    Premium,
    Business,
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Payment {
    Card { number: String, pin: String },
    Voucher { code: String },
}

/// Either form of a place.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema matters here")]
enum Place {
    Home,
    Point { x: i32, y: i32 },
    Named(String),
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema matters here")]
pub(crate) struct Route {
    from: Place,
    to: Place,
    via: Option<Vec<Place>>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Done {}

pub(crate) fn written() -> Value {
    json!({
        "type": "object",
        "properties": {
            "ids": {"type": "array", "items": {"type": "integer"}, "uniqueItems": true},
            "step": {"type": "number", "multipleOf": 0.5},
            "level": {"enum": [1, 2, 3, "max"]},
            "mode": {"const": "fast"},
            "email": {"type": "string", "format": "email"},
            "either": {"type": ["string", "integer"]},
            "nobody": {"type": "string", "not": {"const": "admin"}},
            "pair": {
                "type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}],
                "items": false, "minItems": 2,
            },
            "colours": {"type": "array", "contains": {"const": "red"}, "maxContains": 2},
            "tags": {
                "type": "object", "propertyNames": {"pattern": "^[a-z]+$"},
                "additionalProperties": {"type": "string"}, "maxProperties": 2,
            },
            "from": {"type": "integer"},
            "until": {"type": "integer"},
            "api_token": {"type": "string", "minLength": 8},
            "hidden": {"type": "integer", "writeOnly": true},
        },
        "dependentRequired": {"until": ["from"]},
        "if": {"properties": {"level": {"const": "max"}}, "required": ["level"]},
        "then": {"required": ["mode"]},
    })
}

pub(crate) fn builder() -> RegistryBuilder {
    let any = json!({});
    Registry::builder()
        .tool(Tool::sync("batch_sum", "Adds numbers.", |args: BatchSum| async move {
            let total = args.numbers.iter().sum();
            let count = u32::try_from(args.numbers.len()).map_err(|_| "too many numbers")?;
            Ok::<_, ToolError>(Sum { count, total })
        }))
        .tool(Tool::job("long_task", "Works.", |_: CallContext, _: LongTask| async move {
            Ok::<_, ToolError>(Done {})
        }))
        .tool(Tool::sync("book", "Books a flight.", |args: Booking| async move {
            Ok::<_, ToolError>(args)
        }))
        .tool(Tool::sync("route", "Plans a route.", |_: Route| async move {
            Ok::<_, ToolError>(Done {})
        }))
        .tool(Tool::untyped(
            "written",
            "Has a schema written by hand.",
            ToolMode::Sync,
            WrittenSchemas { input: written(), output: any },
            |_, args| async move { Ok(args) },
        ))
}

pub(crate) fn registry() -> Registry {
    builder().build(&server()).unwrap()
}

pub(crate) fn server() -> ServerId<'static> {
    ServerId::new("sums.example").unwrap()
}

pub(crate) fn context() -> CallContext {
    CallContext::new(ClientId::new("agent-7").unwrap())
}

pub(crate) fn canonical(text: &str) -> CanonicalJson<'static> {
    CanonicalJson::read(text.as_bytes(), &Limits::default()).unwrap().into_owned()
}

pub(crate) fn json_of<T: Serialize>(value: &T) -> CanonicalJson<'static> {
    CanonicalJson::from_serialize(value).unwrap()
}

pub(crate) fn one(tool: Tool) -> Arc<Registry> {
    Arc::new(Registry::builder().tool(tool).build(&server()).unwrap())
}

pub(crate) async fn call(
    registry: &Registry,
    name: &str,
    args: &str,
) -> Result<String, CallFailure> {
    let output = registry.call(name, context(), &canonical(args)).await?;
    Ok(output.as_str().to_owned())
}

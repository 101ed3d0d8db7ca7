//! The tools of the servers under test, and the strings by which a test pulls them.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use waxwing_core::CanonicalJson;
use waxwing_tools::{CallContext, JobContext, Registry, Tool, ToolError, ToolMode, WrittenSchemas};

use crate::harness::{PATIENCE, server_id};

/// Counts what tools do, and lets those go on that wait.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    entered: Arc<Semaphore>,
    release: Arc<Semaphore>,
    dropped: Arc<Semaphore>,
}

impl Signals {
    pub(crate) fn new() -> Self {
        let none = || Arc::new(Semaphore::new(0));
        Self { entered: none(), release: none(), dropped: none() }
    }

    /// Waits until a tool that holds has begun.
    pub(crate) async fn entered(&self) {
        take(&self.entered).await;
    }

    /// Waits until a tool that holds is gone, one way or the other.
    pub(crate) async fn dropped(&self) {
        take(&self.dropped).await;
    }

    /// Lets `n` tools that hold go on.
    pub(crate) fn release(&self, n: usize) {
        self.release.add_permits(n);
    }

    /// How many tools that hold have begun and not been waited for.
    pub(crate) fn unseen(&self) -> usize {
        self.entered.available_permits()
    }

    async fn hold(&self) {
        let _gone = Gone(Arc::clone(&self.dropped));
        self.entered.add_permits(1);
        self.release.acquire().await.unwrap().forget();
    }
}

async fn take(semaphore: &Semaphore) {
    timeout(PATIENCE, semaphore.acquire()).await.expect("the signal in time").unwrap().forget();
}

struct Gone(Arc<Semaphore>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

#[derive(Deserialize, JsonSchema)]
struct BatchSum {
    #[schemars(length(min = 1))]
    numbers: Vec<f64>,
}

#[derive(Serialize, JsonSchema)]
struct Sum {
    count: u32,
    total: f64,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Say {
    text: String,
}

/// An output of this shape: a text of this length within as many arrays.
#[derive(Deserialize, JsonSchema)]
struct Shape {
    length: u32,
    levels: u32,
}

impl Shape {
    fn make(&self) -> Value {
        let text = Value::from("x".repeat(self.length as usize));
        (0..self.levels).fold(text, |inner, _| Value::Array(vec![inner]))
    }
}

/// A failure with a chain behind it that is for the log only.
fn hidden() -> ToolError {
    #[derive(Debug, thiserror::Error)]
    #[error("the pump's bus is down")]
    struct Bus(#[source] std::io::Error);
    ToolError::new("the pump is broken").with_source(Bus(std::io::Error::other("canary-source")))
}

/// The tools of every test.
pub(crate) fn registry(signals: &Signals) -> Registry {
    sync_tools(Registry::builder(), signals)
        .tool(Tool::job("say_later", "Says it, later.", |args: Say| async move {
            Ok::<_, ToolError>(args.text)
        }))
        .tool(holding_job(signals))
        .tool(attempt_later(signals))
        .tool(order_parcel())
        .tool(copy_rows(signals))
        .tool(verbose_question())
        .tool(Tool::job(
            "heed_later",
            "Ends when told to.",
            |ctx: CallContext, _: Nothing| async move {
                ctx.progress(0, None, None);
                ctx.cancellation().cancelled().await;
                Ok::<_, ToolError>("heeded")
            },
        ))
        .tool(Tool::job("shape_later", "Makes an output.", |shape: Shape| async move {
            Ok::<_, ToolError>(shape.make())
        }))
        .tool(Tool::job("refuse_later", "Fails with details.", |shape: Shape| async move {
            let failure = ToolError::new("it would not fit").with_details(&shape.make());
            Err::<u32, _>(failure.map_err(|error| error.to_string())?)
        }))
        .tool(Tool::job("hide_later", "Fails for a reason.", |_: Nothing| async move {
            Err::<u32, _>(hidden())
        }))
        .tool(Tool::job("fail_later", "Fails, later.", |_: Nothing| async move {
            Err::<u32, _>(ToolError::new("the pump is broken"))
        }))
        .tool(Tool::job("panic_later", "Panics once.", |ctx: CallContext, _: Nothing| async move {
            assert!(ctx.attempt() > 1, "the first attempt panics");
            Ok::<_, ToolError>(ctx.attempt())
        }))
        .build(&server_id())
        .unwrap()
}

fn hold(name: &str, signals: &Signals) -> Tool {
    let signals = signals.clone();
    Tool::sync(name, "Waits to be released.", move |args: Say| {
        let signals = signals.clone();
        async move {
            signals.hold().await;
            Ok::<_, ToolError>(args.text)
        }
    })
}

/// Asks for two things at once, then for a third.
fn order_parcel() -> Tool {
    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
        Blue,
    }
    Tool::job("order_parcel", "Orders a parcel.", |ctx: JobContext, _: Nothing| async move {
        let colour = ctx.ask::<Colour>("colour", "Which colour?");
        let size = ctx.ask::<u8>("size", "Which size?");
        let colour = match colour {
            Ok(Colour::Red) => "red",
            Ok(Colour::Blue) => "blue",
            Err(question) => return Err(question),
        };
        let size = size?;
        let sure: bool = ctx.ask("sure", &format!("A {colour} one of size {size}?"))?;
        Ok(json!({"colour": colour, "size": size, "sure": sure, "attempt": ctx.attempt()}))
    })
}

/// Leaves a checkpoint, then holds in its first run; the next one resumes.
fn copy_rows(signals: &Signals) -> Tool {
    let signals = signals.clone();
    Tool::job("copy_rows", "Copies rows.", move |ctx: JobContext, _: Nothing| {
        let signals = signals.clone();
        async move {
            let rows: u32 = ctx.resumed()?.unwrap_or(0);
            if rows == 0 {
                ctx.checkpoint(&7)?;
                ctx.progress(7, None, None);
                signals.hold().await;
            }
            Ok::<_, ToolError>(rows)
        }
    })
}

/// Asks for more than a reply can say.
fn verbose_question() -> Tool {
    Tool::job("verbose_question", "Asks at length.", |ctx: JobContext, _: Nothing| async move {
        let long = "why? ".repeat(800);
        let asked: Vec<_> = (0..64).map(|n| ctx.ask::<bool>(&format!("k{n}"), &long)).collect();
        asked.into_iter().collect::<Result<Vec<_>, _>>()
    })
}

pub(crate) fn holding_job(signals: &Signals) -> Tool {
    let signals = signals.clone();
    Tool::job("hold_later", "Waits to be released.", move |ctx: CallContext, args: Say| {
        let signals = signals.clone();
        async move {
            ctx.progress(1, Some(2), Some("holding"));
            signals.hold().await;
            Ok::<_, ToolError>(args.text)
        }
    })
}

/// Says, once it is released, which attempt it was.
fn attempt_later(signals: &Signals) -> Tool {
    let signals = signals.clone();
    Tool::job("attempt_later", "Says its attempt.", move |ctx: CallContext, _: Nothing| {
        let signals = signals.clone();
        async move {
            signals.hold().await;
            Ok::<_, ToolError>(json!({"attempt": ctx.attempt()}))
        }
    })
}

fn sync_tools(
    builder: waxwing_tools::RegistryBuilder,
    signals: &Signals,
) -> waxwing_tools::RegistryBuilder {
    let count = signals.clone();
    let lie = WrittenSchemas {
        input: json!({"type": "object", "properties": {}}),
        output: json!({"type": "integer"}),
    };
    builder
        .tool(Tool::sync("batch_sum", "Adds numbers.", |args: BatchSum| async move {
            let count = args.numbers.len() as u32;
            Ok::<_, ToolError>(Sum { count, total: args.numbers.iter().sum() })
        }))
        .tool(Tool::sync("fail", "Fails.", |_: Nothing| async move {
            let failure = ToolError::new("the pump is broken").with_details(&json!({"bar": 0}));
            Err::<u32, _>(failure.map_err(|error| error.to_string())?)
        }))
        .tool(Tool::sync("shape", "Makes an output.", |shape: Shape| async move {
            Ok::<_, ToolError>(shape.make())
        }))
        .tool(
            Tool::sync("shape_little", "Makes a small output.", |shape: Shape| async move {
                Ok::<_, ToolError>(shape.make())
            })
            .limits(|limits| limits.output_bytes = 100),
        )
        .tool(Tool::sync("hide", "Fails for a reason.", |_: Nothing| async move {
            Err::<u32, _>(hidden())
        }))
        .tool(Tool::sync("panic", "Panics.", |_: Nothing| async move {
            assert!(std::hint::black_box(false), "secret-in-a-panic");
            Ok::<_, ToolError>(1)
        }))
        .tool(Tool::untyped("lie", "Breaks its promise.", ToolMode::Sync, lie, |_, _| async move {
            Ok(CanonicalJson::from_serialize("no integer").map_err(|_| "unwritable")?)
        }))
        .tool(
            Tool::sync("sleep", "Never ends.", |_: Nothing| async move {
                std::future::pending::<()>().await;
                Ok::<_, ToolError>(1)
            })
            .limits(|limits| limits.time = Some(Duration::from_millis(50))),
        )
        .tool(hold("hold", signals))
        .tool(hold("hold_alone", signals).limits(|limits| {
            (limits.concurrency, limits.queue) = (1, 0);
        }))
        .tool(Tool::sync("count", "Counts its runs.", move |_: Nothing| {
            let count = count.clone();
            async move {
                count.entered.add_permits(1);
                Ok::<_, ToolError>(count.unseen() as u32)
            }
        }))
        .tool(Tool::sync("secret_tool", "For agents only.", |_: Nothing| async move {
            Ok::<_, ToolError>(1)
        }))
}

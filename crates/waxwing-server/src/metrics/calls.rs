//! Measures of calls and connections.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{SECONDS, short_times};

/// The tool of calls whose tool this server does not have, whatever they call it.
const UNKNOWN: &str = "unknown";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    tool: String,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfTool {
    tool: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    code: &'static str,
}

/// Calls and connections.
#[derive(Debug)]
pub(crate) struct CallMetrics {
    answered: Family<Answered, Counter>,
    seconds: Family<OfTool, Histogram, fn() -> Histogram>,
    refused: Family<Refused, Counter>,
    in_flight: Gauge,
    connections: Gauge,
    turned_away: Counter,
}

impl CallMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            answered: Family::default(),
            seconds: Family::new_with_constructor(short_times),
            refused: Family::default(),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            turned_away: Counter::default(),
        };
        let m = &metrics;
        registry.register(
            "calls",
            "Signed replies, by tool and by status or error code",
            m.answered.clone(),
        );
        registry.register_with_unit(
            "call",
            "Time from a verified call to its reply",
            SECONDS,
            m.seconds.clone(),
        );
        registry.register("refusals", "Unsigned refusals, by code", m.refused.clone());
        registry.register("calls_in_flight", "Calls at work", m.in_flight.clone());
        registry.register("connections", "Open connections for calls", m.connections.clone());
        registry.register(
            "connections_turned_away",
            "Connections beyond the bound",
            m.turned_away.clone(),
        );
        metrics
    }

    /// A call was answered with this status or error code. `tool` is `None` for one that this
    /// server does not have.
    pub(crate) fn answered(&self, tool: Option<&str>, code: &'static str, took: Duration) {
        let tool = tool.unwrap_or(UNKNOWN).to_owned();
        self.seconds.get_or_create(&OfTool { tool: tool.clone() }).observe(took.as_secs_f64());
        self.answered.get_or_create(&Answered { tool, code }).inc();
    }

    /// A message was refused.
    pub(crate) fn refused(&self, code: &'static str) {
        self.refused.get_or_create(&Refused { code }).inc();
    }

    /// A call is at work for as long as this is held.
    pub(crate) fn enter(&self) -> Counted {
        Counted::one(&self.in_flight)
    }

    /// A connection is open for as long as this is held.
    pub(crate) fn connect(&self) -> Counted {
        Counted::one(&self.connections)
    }

    /// A connection was turned away.
    pub(crate) fn turn_away(&self) {
        self.turned_away.inc();
    }
}

/// One of what a gauge counts; no longer when it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Counted {
    fn one(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

//! Counters for `/metrics`: how much and how long, never who.

use std::sync::{Arc, Mutex};

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Metric, Registry},
};

/// An rpc and how it ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Rpc {
    /// `Service/Method`, only of the schema.
    pub method: String,
    /// The gRPC code as a number.
    pub code: u32,
}

/// All counters. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    /// Rpcs that were answered, by method and code.
    pub rpcs: Family<Rpc, Counter>,
    /// How long rpcs took until their answer began.
    pub rpc_seconds: Histogram,
    /// Open gRPC connections.
    pub connections: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let buckets = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
        let metrics = Self {
            registry: Arc::new(Mutex::new(Registry::with_prefix("rollcall"))),
            rpcs: Family::default(),
            rpc_seconds: Histogram::new(buckets),
            connections: Gauge::default(),
        };
        metrics.register("rpcs", "Answered rpcs by method and gRPC code", metrics.rpcs.clone());
        metrics.register("rpc_seconds", "Time until the answer began", metrics.rpc_seconds.clone());
        metrics.register("grpc_connections", "Open gRPC connections", metrics.connections.clone());
        metrics
    }
}

impl Metrics {
    /// Adds a metric under `rollcall_NAME`.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry.lock().expect("no holder of this lock panics").register(name, help, metric);
    }

    /// All of them as OpenMetrics text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let registry = self.registry.lock().expect("no holder of this lock panics");
        text::encode(&mut out, &registry).expect("a String takes any text");
        out
    }
}

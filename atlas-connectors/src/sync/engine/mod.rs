//! The engine: a handle for the host, one run at a time, and the pipeline inside a run.

mod advance;
mod batch;
mod handle;
mod pipeline;
mod plan;
mod request;
mod run;
#[cfg(test)]
mod tests;

pub use handle::{SyncEngine, SyncEngineBuilder};

//! Several requests in one: `$batch` as multipart (V2 and V4) and as JSON (V4).
//!
//! The outer status says nothing: 202 or 200 also when everything inside failed (`sap-odata.md`, section 11). What became of
//! each part is a [`PartResult`].

mod json;
mod multipart;
mod part;
mod plan;
mod sort;
mod write;

pub use part::{BatchPart, PartResponse, PartResult};
pub use plan::{BatchBody, BatchItem, BatchPlan};

#[cfg(test)]
mod tests;

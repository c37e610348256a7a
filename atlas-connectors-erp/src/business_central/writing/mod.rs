//! A write in steps that can be interrupted anywhere: what finds it again, one request, and finding out afterwards.
//!
//! Source: `business-central.md`, section 5. There is no idempotency key. A create is found by an id that we choose, or by its
//! natural key; an update, a deletion and an action by what they leave of the record.

mod commit;
mod handle;
mod lookup;
mod part;

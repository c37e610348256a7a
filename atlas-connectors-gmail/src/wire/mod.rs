//! Gmail's REST reference as pure functions: each builds one [`Call`](atlas_connectors::http::Call) and each answer has
//! its type. No I/O here. One file a resource, in the order of Google's reference.

pub mod attachments;
mod decode;
pub mod drafts;
pub mod history;
mod history_id;
pub mod labels;
pub mod messages;
mod method;
pub mod profile;
mod raw_message;
mod request;
pub mod send;
pub mod settings;
pub mod threads;
pub mod watch;

pub use decode::json;
pub use history_id::HistoryId;
pub use method::Method;
pub use raw_message::RawMessage;
pub use request::Api;

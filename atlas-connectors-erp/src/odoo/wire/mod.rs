//! Pure request and answer shapes of Odoo's two protocols; nothing here sends.

mod answer;
mod context;
mod endpoint;
mod fault;
mod json;
mod json2;
mod method;
mod model_call;
mod probe;
mod rpc;
mod secret;
mod series;

pub use answer::Answer;
pub use context::CallContext;
pub use endpoint::{Endpoint, Protocol};
pub use fault::Fault;
pub use json::Json;
pub use method::Method;
pub use model_call::ModelCall;
pub use probe::{version_by_rpc, version_by_web, version_of_rpc, version_of_web};
pub use rpc::{authenticate, uid_of};
pub use secret::Secret;
pub use series::Series;

pub(crate) use endpoint::invalid as endpoint_invalid;

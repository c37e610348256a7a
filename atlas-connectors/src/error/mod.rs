//! What went wrong, whose part is at fault, whether it may be repeated, whether anything happened outside,
//! and what to do next.
//!
//! [`Error`] is one small boxed value. Hosts branch on [`Error::kind`]; people read [`Error::advice`]. No error carries a
//! body, a header map, a URL query or a token: every field is put in by name.

mod advice;
mod kind;
mod message;
mod oauth;
mod rejection;
mod value;

pub use advice::Advice;
pub use kind::{
    BadPayload, EgressRule, ErrorKind, FieldFault, NotApproved, SchemaFault, StorageFault, ThrottleScope, TlsFault,
    Unreachable,
};
pub use message::{ProviderMessage, ProviderText, Severity};
pub use oauth::{AccountState, ClientFault, Denier, FlowFault, GrantEnd, Masked, OAuthError};
pub use rejection::{RejectedField, Rejection};
pub use value::{Effect, Error, OperationClass, ProviderCode, Result, Retry};

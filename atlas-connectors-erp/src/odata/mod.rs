//! OData V2 and V4, shared by SAP and Business Central.
//!
//! Everything here is pure: it builds addresses and bodies and reads answers. Sending is the connectors' part, through
//! [`atlas_connectors::http::Client`].

pub mod batch;
mod error;
mod messages;
pub mod metadata;
mod model;
mod next_link;
mod version;

pub use error::{Envelope, FailureDetail, ODataFailure};
pub use messages::{header_messages, row_messages};
pub use model::{CatalogSettings, EntityModel, Model, Wire};
pub use next_link::{LinkGuard, ServiceRoot};
pub use version::Version;

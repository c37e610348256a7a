//! OData V2 and V4, shared by SAP and Business Central.
//!
//! Everything here is pure: it builds addresses and bodies and reads answers. Sending is the connectors' part, through
//! [`atlas_connectors::http::Client`].

pub mod batch;
mod dialect;
mod error;
mod key;
mod literal;
mod messages;
pub mod metadata;
mod model;
mod next_link;
mod page;
mod query;
mod row_plan;
mod version;
mod write;

pub use dialect::{Dialect, EnumStyle, NullStyle, OrSupport, PageStyle};
pub use error::{Envelope, FailureDetail, ODataFailure};
pub use key::key_predicate;
pub use messages::{header_messages, row_messages};
pub use model::{CatalogSettings, EntityModel, Model, Wire};
pub use next_link::{LinkGuard, ServiceRoot};
pub use page::{ODataPage, PageLimits, read_page, read_record};
pub use query::ODataQuery;
pub use version::Version;
pub use write::{BodyFor, BodyWriter, NumberStyle};

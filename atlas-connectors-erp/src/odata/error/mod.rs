//! What the body of an error answer says, whichever of the five forms it has (`sap-odata.md`, section 12).

mod failure;
mod json;
mod xml;

pub(super) use json::{array as message_array, detail as message_detail};

pub use failure::{Envelope, FailureDetail, ODataFailure};

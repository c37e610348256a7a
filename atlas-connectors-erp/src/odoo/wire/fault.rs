//! An error as Odoo writes it down, in either protocol.

use serde::Deserialize;

/// Odoo's own error object: the class by its Python path, and what it says. `debug` is a traceback with the server's
/// paths and is not read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Fault {
    /// The class, such as `odoo.exceptions.AccessError`.
    pub name: String,
    /// What it says, in the user's language.
    pub message: String,
    /// JSON-RPC's number: 200 before 19, 0 after, 100 for a session that has ended, 404 for a path that is not there.
    #[serde(skip)]
    pub code: Option<i64>,
}

#[derive(Deserialize)]
struct Envelope {
    error: Outer,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Outer {
    code: Option<i64>,
    data: Option<Fault>,
}

impl Fault {
    /// Reads an error body: JSON-2's bare object, or JSON-RPC's envelope. `None` if it is neither, as a page of a proxy.
    pub fn read(body: &[u8]) -> Option<Self> {
        if let Ok(Envelope { error }) = serde_json::from_slice(body) {
            let mut fault = error.data.unwrap_or_default();
            fault.code = error.code;
            return (fault.code.is_some() || !fault.name.is_empty()).then_some(fault);
        }
        let fault: Self = serde_json::from_slice(body).ok()?;
        (!fault.name.is_empty()).then_some(fault)
    }
}

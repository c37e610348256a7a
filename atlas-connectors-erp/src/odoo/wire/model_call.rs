//! One call of a model's method, before a protocol is chosen.

use atlas_connectors::Result;
use atlas_connectors::http::{Call, CallClass};
use bytes::Bytes;

use crate::odoo::wire::endpoint::invalid;
use crate::odoo::wire::{CallContext, Endpoint, Json, Method, Protocol, Secret, json2, rpc};

/// A call of a method on a model.
///
/// ```
/// use atlas_connectors_erp::odoo::wire::{Json, Method, ModelCall};
///
/// let read = ModelCall::new("sale.order", Method::Read)
///     .on(&[7])
///     .with("fields", Json::texts(["name", "state"]));
/// assert_eq!(read.model(), "sale.order");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCall {
    model: Box<str>,
    method: Method,
    ids: Option<Vec<i64>>,
    arguments: Vec<(Box<str>, Json)>,
    context: CallContext,
}

impl ModelCall {
    /// A call without arguments.
    pub fn new(model: &str, method: Method) -> Self {
        Self {
            model: model.into(),
            method,
            ids: None,
            arguments: Vec::new(),
            context: CallContext::default(),
        }
    }

    /// Sets the records.
    #[must_use]
    pub fn on(mut self, ids: &[i64]) -> Self {
        self.ids = Some(ids.to_vec());
        self
    }

    /// Adds an argument by its name.
    #[must_use]
    pub fn with(mut self, name: &str, value: Json) -> Self {
        self.arguments.push((name.into(), value));
        self
    }

    /// Sets the context.
    #[must_use]
    pub fn within(mut self, context: CallContext) -> Self {
        self.context = context;
        self
    }

    /// The model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The records.
    pub fn ids(&self) -> Option<&[i64]> {
        self.ids.as_deref()
    }

    pub(crate) fn arguments(&self) -> &[(Box<str>, Json)] {
        &self.arguments
    }

    pub(crate) fn context(&self) -> &CallContext {
        &self.context
    }

    /// What Odoo would carry out in silence although it cannot be meant.
    ///
    /// # Errors
    /// [`atlas_connectors::ErrorKind::Invalid`]: no ids on a method of records (Odoo answers true and does nothing),
    /// ids on a method of the model, a name that is no model's or method's, an argument that the method does not have.
    pub fn check(&self) -> Result<()> {
        let word = |text: &str, dots: bool| {
            !text.is_empty()
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || (dots && c == '.'))
        };
        if !word(&self.model, true) || self.model.split('.').any(str::is_empty) {
            return Err(invalid("model", "not the name of a model"));
        }
        if !word(self.method.name(), false) || self.method.name().starts_with('_') {
            return Err(invalid("method", "not the name of a public method"));
        }
        match &self.ids {
            Some(ids) if !self.method.on_records() && !ids.is_empty() => {
                return Err(invalid("ids", "this method is the model's own and takes no records"));
            }
            None if self.method.on_records() => return Err(invalid("ids", "the method needs records")),
            Some(ids) if self.method.on_records() => {
                if ids.is_empty() && !self.method.allows_no_ids() {
                    return Err(invalid(
                        "ids",
                        "without records Odoo answers that all went well and does nothing",
                    ));
                }
                if ids.iter().any(|id| *id <= 0) {
                    return Err(invalid("ids", "a record's id is a positive number"));
                }
            }
            _ => {}
        }
        if let Some(known) = self.method.named()
            && !self.arguments.iter().all(|(name, _)| known.contains(&&**name))
        {
            return Err(invalid("argument", "the method has no argument of this name"));
        }
        Ok(())
    }

    /// The request. The secret goes into it here, right before it is sent, and nowhere else.
    ///
    /// # Errors
    /// As [`ModelCall::check`]; a password where JSON-2 is spoken.
    pub fn build(&self, at: &Endpoint, protocol: Protocol, uid: i64, secret: &Secret) -> Result<Call> {
        self.check()?;
        let request = match protocol {
            Protocol::JsonRpc => rpc::execute(self, at, uid, secret)?,
            Protocol::Json2 => json2::request(self, at, secret)?,
        };
        Ok(call(self.method.operation(), self.method.class(), request).with_own_auth())
    }
}

pub(super) fn call(operation: &'static str, class: CallClass, request: http::Request<Bytes>) -> Call {
    match class {
        CallClass::Read => Call::read(operation, request),
        CallClass::Effect => Call::effect(operation, request),
    }
}

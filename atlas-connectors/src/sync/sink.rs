//! Mail on its way to a host that keeps it itself.

use std::fmt;

use async_trait::async_trait;

use crate::connection::ConnectionRef;
use crate::error::Result;
use crate::ids::LabelId;
use crate::mail::{Message, MessageRef};

/// Takes mail into the host's own store, queue or workflow.
///
/// Delivery is at least once: a batch is applied first and the position stored after it, so a kill in between brings the
/// same signals again. Applying must be idempotent by (connection, message id); each signal says how things *are*, never what to
/// add, so writing it twice is harmless. An error ends the run with the position unchanged.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
/// use atlas_connectors::sync::{MailBatch, MailSignal, Sink};
/// use atlas_connectors::{LabelId, MessageId, Result};
///
/// /// Keeps the labels of every message.
/// #[derive(Debug, Default)]
/// struct Labels(Mutex<BTreeMap<MessageId, Vec<LabelId>>>);
///
/// #[async_trait::async_trait]
/// impl Sink for Labels {
///     async fn apply(&self, batch: &MailBatch) -> Result<()> {
///         let mut all = self.0.lock().unwrap();
///         for signal in &batch.signals {
///             match signal {
///                 MailSignal::Message(message) => {
///                     all.insert(message.meta.id.clone(), message.meta.labels.clone());
///                 }
///                 MailSignal::Labels { message, labels } => {
///                     all.insert(message.id.clone(), labels.clone());
///                 }
///                 MailSignal::Removed { message, .. } => {
///                     all.remove(&message.id);
///                 }
///                 _ => {}
///             }
///         }
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait Sink: fmt::Debug + Send + Sync + 'static {
    /// Applies the signals of one batch, in any order: no message appears twice in one batch.
    ///
    /// # Errors
    /// Whatever went wrong in the host; the batch comes again.
    async fn apply(&self, batch: &MailBatch) -> Result<()>;
}

/// Signals that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct MailBatch {
    /// The connection they came from.
    pub connection: ConnectionRef,
    /// The signals.
    pub signals: Vec<MailSignal>,
}

/// What a host has to know about one message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MailSignal {
    /// The message is there: new, or read again.
    Message(Box<Message>),
    /// All labels that are on the message now.
    Labels {
        /// The message.
        message: MessageRef,
        /// All labels on it.
        labels: Vec<LabelId>,
    },
    /// The message is not, or no longer, among those to keep.
    Removed {
        /// The message.
        message: MessageRef,
        /// Why.
        cause: Removal,
    },
}

/// Why a message is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Removal {
    /// It is gone at the provider for good.
    Deleted,
    /// It was moved to where the settings do not look: spam, trash.
    Excluded,
}

//! Webhooks: subscribing, the handshake of the host's endpoint, and what arrives there. Pure; the host owns the endpoint.
//!
//! A notice says that something changed, late and merged; it carries no data and no signature. Believe it only after
//! [`Notification::is_from`], and read the record again in any case. Source: `business-central.md`, section 8.

mod notification;
mod resource;
mod subscription;

pub use notification::{ChangeType, Notification, handshake, notifications};
pub use resource::Resource;
pub use subscription::{CLIENT_STATE_MAX, LIFE, NewSubscription, Subscription, Subscriptions};

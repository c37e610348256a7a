//! The switch of one connection: work goes on, waits for a person, or is over.

use std::future::Future;

use tokio::sync::watch;

use crate::error::{ErrorKind, Result};

/// Lets the calls of one connection in one epoch pass, or stops them at their next step. Clones share the switch.
///
/// Pausing and closing wake calls that wait (for quota, for the next try, for an answer to a read) and end them. An
/// effect whose request has left is never cut off: its answer is worth more than the time it takes.
///
/// ```
/// use atlas_connectors::http::ConnectionGate;
///
/// let gate = ConnectionGate::new();
/// assert!(gate.check().is_ok());
/// gate.pause("sign_in");
/// assert!(gate.check().is_err());
/// gate.resume();
/// gate.close(); // the epoch was raised: a disconnect or reconnect
/// gate.resume();
/// assert!(gate.check().is_err()); // for good
/// ```
#[derive(Clone, Debug)]
pub struct ConnectionGate(watch::Sender<Position>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Open,
    Paused(&'static str),
    Closed,
}

impl ConnectionGate {
    /// An open gate. Make one for each epoch of a connection and share it among all its clients.
    pub fn new() -> Self {
        Self(watch::Sender::new(Position::Open))
    }

    /// Stops all calls until [`ConnectionGate::resume`]; `why` is the stable word of [`ErrorKind::Paused`].
    pub fn pause(&self, why: &'static str) {
        self.move_to(Position::Paused(why));
    }

    /// Lets calls pass again, unless the gate was closed.
    pub fn resume(&self) {
        self.move_to(Position::Open);
    }

    /// Stops all calls for good: the connection's epoch was raised.
    pub fn close(&self) {
        self.move_to(Position::Closed);
    }

    /// Whether calls may pass.
    ///
    /// # Errors
    /// [`ErrorKind::Paused`], or [`ErrorKind::Cancelled`] once closed.
    pub fn check(&self) -> Result<(), ErrorKind> {
        verdict(*self.0.borrow())
    }

    /// Resolves as soon as calls may no longer pass.
    pub(crate) fn stopped(&self) -> impl Future<Output = ErrorKind> + Send + use<> {
        let mut position = self.0.subscribe();
        async move {
            match position.wait_for(|now| *now != Position::Open).await.map(|now| *now) {
                Ok(Position::Paused(why)) => ErrorKind::Paused { why },
                Ok(Position::Open | Position::Closed) => ErrorKind::Cancelled,
                // Nobody is left who could move the gate.
                Err(_) => std::future::pending().await,
            }
        }
    }

    fn move_to(&self, to: Position) {
        self.0.send_if_modified(|now| {
            let moves = *now != Position::Closed && *now != to;
            if moves {
                *now = to;
            }
            moves
        });
    }
}

impl Default for ConnectionGate {
    fn default() -> Self {
        Self::new()
    }
}

fn verdict(position: Position) -> Result<(), ErrorKind> {
    match position {
        Position::Open => Ok(()),
        Position::Paused(why) => Err(ErrorKind::Paused { why }),
        Position::Closed => Err(ErrorKind::Cancelled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_woken_with_the_reason() {
        let gate = ConnectionGate::new();
        let stopped = gate.stopped();
        gate.pause("by_host");
        assert_eq!(stopped.await, ErrorKind::Paused { why: "by_host" });
        gate.resume();
        let stopped = gate.stopped();
        gate.close();
        assert_eq!(stopped.await, ErrorKind::Cancelled);
    }

    #[test]
    fn closed_is_for_good() {
        let gate = ConnectionGate::new();
        gate.close();
        gate.pause("sign_in");
        assert_eq!(gate.check(), Err(ErrorKind::Cancelled));
        gate.resume();
        assert_eq!(gate.check(), Err(ErrorKind::Cancelled));
    }
}

//! The name of a connection at one moment.

use serde::{Deserialize, Serialize};

use crate::ids::{ConnectionId, Epoch, ProviderId, TenantId};

/// Which connection, of whom, in which epoch. Everything that is begun carries one; what carries an older epoch than
/// the stored one is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConnectionRef {
    /// The tenant that owns it.
    pub tenant: TenantId,
    /// The connection.
    pub connection: ConnectionId,
    /// The epoch under which this was begun.
    pub epoch: Epoch,
    /// The provider behind it.
    pub provider: ProviderId,
}

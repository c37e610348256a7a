//! From a command to its work.

use crate::erp::args::Erp;
use crate::erp::{catalog, connect, connections, read, write};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// Carries out the command.
pub(crate) async fn run(session: &Session, command: &Erp) -> Result<Exit, Failure> {
    match command {
        Erp::Connect(system) => connect::run(session, system).await,
        Erp::List => connections::list(session).await,
        Erp::Test { entity, verb, at } => connections::test(session, entity, verb, at).await,
        Erp::Companies { select, on } => connections::companies(session, select.as_deref(), on.as_deref()).await,
        Erp::Catalog {
            entity,
            find,
            diff,
            save,
            at,
        } => {
            let wanted = catalog::Wanted {
                entity: entity.as_deref(),
                find: find.as_deref(),
                diff: diff.as_deref(),
                save: save.as_deref(),
            };
            catalog::show(session, &wanted, at).await
        }
        Erp::Check { file, at } => catalog::check(session, file, at).await,
        Erp::Read { .. } => read::read(session, command).await,
        Erp::Get { entity, key, shape, at } => read::get(session, entity, key, shape, at).await,
        Erp::Changes {
            entity,
            since,
            shape,
            filter,
            at,
        } => read::changes(session, entity, since.as_deref(), shape, filter.as_deref(), at).await,
        Erp::Write(write) => write::run(session, write).await,
        Erp::Disconnect { on } => connections::disconnect(session, on.as_deref()).await,
    }
}

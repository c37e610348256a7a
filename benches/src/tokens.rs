//! What does the valid token cost when 64 tasks ask for it at once?

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use atlas_connectors::credential::{
    CredentialKey, OAuthGrant, Refresh, RefreshedGrant, RefreshingToken, TokenSource as _, Vault,
};
use atlas_connectors::error::ErrorKind;
use atlas_connectors::oauth::ScopeSet;
use atlas_connectors::store::MemoryStore;
use atlas_connectors::{Clock as _, Error, Result, SystemClock, Timestamp};
use tokio::sync::Mutex;

use crate::table::Figure;
use crate::world::{self, Failure};

const TASKS: u64 = 64;

/// The hot path of [`RefreshingToken`] beside a token behind tokio's mutex.
pub(crate) async fn measure(quick: bool) -> Result<Vec<Figure>, Failure> {
    let calls = if quick { 1_000 } else { 100_000 };
    let ours = ours(calls).await?;
    let naive = naive(calls).await?;
    let each = |total: Duration| total.as_secs_f64() * 1e9 / (TASKS * calls) as f64;
    let figure = Figure::new(
        format!("valid token, {TASKS} tasks x {calls} calls"),
        format!("{:.0} ns a call", each(ours)),
        "(information)",
    )
    .against(
        format!("String behind tokio::sync::Mutex: {:.0} ns", each(naive)),
        format!("{:.2}", ours.as_secs_f64() / naive.as_secs_f64()),
    );
    Ok(vec![figure])
}

async fn ours(calls: u64) -> Result<Duration, Failure> {
    let connection = world::connection();
    let vault = Vault::new(Arc::new(MemoryStore::new()), world::sealer()?);
    let grant = OAuthGrant::new("ya29.valid".into(), ScopeSet::parse("email"), SystemClock.now())
        .with_refresh_token("refresh".into())
        .with_expires_in(Duration::from_secs(3_600));
    let key = CredentialKey::oauth(&connection);
    vault.put(&key, connection.epoch, &grant.into()).await?;
    let tokens = RefreshingToken::new(connection, vault, Arc::new(Never));
    // The first call reads the store.
    tokens.token().await?;
    timed(|| {
        let tokens = tokens.clone();
        async move {
            for _ in 0..calls {
                std::hint::black_box(tokens.token().await?);
            }
            Ok(())
        }
    })
    .await
}

async fn naive(calls: u64) -> Result<Duration, Failure> {
    let ends = SystemClock.now().after(Duration::from_secs(3_600));
    let token: Arc<Mutex<(String, Timestamp)>> = Arc::new(Mutex::new(("ya29.valid".to_owned(), ends)));
    timed(|| {
        let token = Arc::clone(&token);
        async move {
            for _ in 0..calls {
                let held = token.lock().await;
                if held.1 <= SystemClock.now() {
                    return Err(Error::new(ErrorKind::DeadlineExceeded, "bench.token"));
                }
                std::hint::black_box(held.0.clone());
            }
            Ok(())
        }
    })
    .await
}

async fn timed<F>(task: impl Fn() -> F) -> Result<Duration, Failure>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let start = world::now();
    let tasks: Vec<_> = (0..TASKS).map(|_| tokio::spawn(task())).collect();
    for task in tasks {
        task.await??;
    }
    Ok(world::since(start))
}

/// No refresh is due while this runs.
#[derive(Debug)]
struct Never;

#[async_trait]
impl Refresh for Never {
    async fn refresh(&self, _grant: &OAuthGrant) -> Result<RefreshedGrant> {
        Err(Error::new(
            ErrorKind::Invalid {
                what: "refresh",
                why: "the token is valid",
            },
            "bench.refresh",
        ))
    }
}

//! A mock Google, a store on disk, a connected mailbox, and child processes on all of it.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use atlas_connectors::credential::SealingKey;
use atlas_connectors::oauth::{Callback, SignInRequest, Workflow};
use atlas_connectors::{ActorId, ConnectionRef, SessionId};
use atlas_connectors_examples::host::Host;
use atlas_connectors_gmail::mock::Google;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use url::Url;

use crate::job::{AUTHOR, Job, Place};

/// Everything one test across processes needs.
#[derive(Debug)]
pub struct World {
    /// The provider.
    pub google: Google,
    /// Where the hosts of all processes keep their state.
    pub place: Place,
    /// The host of the test's own process.
    pub host: Host,
    folder: TempDir,
}

/// Whatever keeps a test from being set up.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

impl World {
    /// Starts the provider and a host with nothing in it.
    ///
    /// # Errors
    /// No port or no temporary folder.
    pub async fn new(google: Google) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let place = Place {
            database: folder.path().join("atlas.db"),
            google: google.url(),
            key: SealingKey::generate().to_text().expose_secret().to_owned(),
        };
        Ok(Self {
            google,
            host: place.host()?,
            place,
            folder,
        })
    }

    /// Signs in through the real path; the mock's person agrees.
    ///
    /// # Errors
    /// The sign-in's.
    pub async fn connect(&self, workflows: &[Workflow]) -> Result<ConnectionRef, Failure> {
        let (actor, session) = (ActorId::new(AUTHOR), SessionId::new("browser-1"));
        let redirect = Url::parse("http://127.0.0.1:4711/callback")?;
        let request = SignInRequest::connect(
            self.host.tenant().clone(),
            actor.clone(),
            session.clone(),
            redirect,
            workflows,
        );
        let begun = self.host.sign_in().begin(request).await?;
        let back = self
            .google
            .consent(begun.url.as_str())
            .map_err(|blocked| format!("{blocked:?}"))?;
        let callback = Callback::from_url(&Url::parse(&back)?)?;
        Ok(self
            .host
            .sign_in()
            .complete(callback, &actor, &session)
            .await?
            .connection)
    }

    /// Runs the worker on a job until it ends, by itself or by its crash point.
    ///
    /// # Errors
    /// The process cannot be started.
    pub async fn run(&self, worker: &str, name: &str, job: &Job) -> Result<Output, Failure> {
        let path: PathBuf = self.folder.path().join(format!("{name}.json"));
        std::fs::write(&path, serde_json::to_vec(job)?)?;
        let mut command = tokio::process::Command::new(worker);
        command.arg(&path).stdin(Stdio::null()).kill_on_drop(true);
        Ok(command.output().await?)
    }
}

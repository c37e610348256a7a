//! The program, with a state folder of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::{Child, Command};

/// The program as one person uses it.
pub(crate) struct Atlas {
    folder: tempfile::TempDir,
    secret: Option<&'static str>,
    client: Option<&'static str>,
}

impl Atlas {
    /// With this secret in its environment.
    pub(crate) fn with_secret(secret: &'static str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            secret: Some(secret),
            client: None,
        }
    }

    /// With this app, and this secret if it has one.
    pub(crate) fn with_client(client: &'static str, secret: Option<&'static str>) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            secret,
            client: Some(client),
        }
    }

    /// Puts a document into a file, for commands that read one.
    pub(crate) fn file(&self, name: &str, document: &Value) -> String {
        let path = self.path(name);
        std::fs::write(&path, document.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whether a text is anywhere in the state folder.
    pub(crate) fn keeps(&self, text: &str) -> bool {
        let state = self.folder.path().join("state");
        std::fs::read_dir(state).unwrap().any(|file| {
            let held = std::fs::read(file.unwrap().path()).unwrap();
            held.windows(text.len()).any(|window| window == text.as_bytes())
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_atlas")));
        command
            .env_clear()
            .args(arguments)
            .args(["--as", "olivia", "--state"])
            .arg(self.folder.path().join("state"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(secret) = self.secret {
            command.env("ATLAS_ERP_SECRET", secret);
        }
        if let Some(client) = self.client {
            command.env("ATLAS_CLIENT_ID", client);
        }
        command
    }

    /// Begins a command that talks on standard error.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs a command for a script; gives its exit code and the one document that it prints.
    pub(crate) async fn run(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.command(arguments).arg("--json").output().await.unwrap();
        let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            let said = String::from_utf8_lossy(&output.stderr);
            panic!(
                "{arguments:?}: {error}: {}{said}",
                String::from_utf8_lossy(&output.stdout)
            );
        });
        (output.status.code().unwrap(), document)
    }

    /// Runs a command that must do its work.
    pub(crate) async fn done(&self, arguments: &[&str]) -> Value {
        let (code, document) = self.run(arguments).await;
        assert_eq!(code, 0, "{arguments:?}: {document:#}");
        document
    }

    /// Runs a command that must end with this code.
    pub(crate) async fn ends(&self, wanted: i32, arguments: &[&str]) -> Value {
        let (code, document) = self.run(arguments).await;
        assert_eq!(code, wanted, "{arguments:?}: {document:#}");
        document
    }

    /// Runs a command for a person; gives what is printed on both ways.
    pub(crate) async fn shown(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().await.unwrap();
        let both = [output.stdout, output.stderr].concat();
        String::from_utf8(both).unwrap()
    }

    /// Writes something down and gives the intent that waits.
    pub(crate) async fn held(&self, arguments: &[&str]) -> String {
        let held = self.ends(3, arguments).await;
        held["held"].as_str().unwrap().to_owned()
    }

    /// Approves what was shown, and gives how it ended.
    pub(crate) async fn approve(&self, intent: &str) -> (i32, Value) {
        let review = self.done(&["approvals", "show", intent]).await;
        let digest = review["digest"].as_str().unwrap();
        self.run(&["approvals", "approve", intent, "--digest", digest]).await
    }
}

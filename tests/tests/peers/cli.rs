//! The `atlas` command line against the emulated Google, as a script would use it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use atlas_connectors_tests::peer::{CLIENT_ID, CLIENT_SECRET, OPS, PeerGoogle, REDIRECT_PORT, get};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use url::Url;

use super::google;

struct Atlas<'a> {
    program: PathBuf,
    folder: &'a Path,
    google: PeerGoogle,
}

impl Atlas<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .args([
                "--json",
                "--as",
                "olivia",
                "--base-url",
                self.google.base.as_str(),
                "--state",
            ])
            .arg(self.folder)
            .env("ATLAS_CLIENT_ID", CLIENT_ID)
            .env("ATLAS_CLIENT_SECRET", CLIENT_SECRET)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a command; gives its exit code and the one document that it prints.
    async fn run(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.command(arguments).output().await.unwrap();
        let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stderr));
        });
        (output.status.code().unwrap(), document)
    }

    async fn done(&self, arguments: &[&str]) -> Value {
        let (code, document) = self.run(arguments).await;
        assert_eq!(code, 0, "{arguments:?}: {document:#}");
        document
    }

    /// Connects; a scripted browser opens the address that is printed and agrees.
    async fn connect(&self) -> (i32, Value) {
        let port = REDIRECT_PORT.to_string();
        let mut child = self
            .command(&["mailbox", "connect", "--no-browser", "--timeout", "30", "--port", &port])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut page = None;
        while page.is_none() {
            let line = lines.next_line().await.unwrap().unwrap();
            page = Url::parse(line.trim()).ok().filter(|url| url.scheme() == "http");
        }
        let back = self.google.consent(&page.unwrap(), OPS, &[]).await.unwrap();
        let thanks = get(&*self.google.transport, &back, None).await.unwrap();
        assert!(thanks.status().is_success());
        let output = child.wait_with_output().await.unwrap();
        (
            output.status.code().unwrap(),
            serde_json::from_slice(&output.stdout).unwrap(),
        )
    }
}

#[tokio::test]
#[ignore = "needs ATLAS_PEER_GOOGLE, see .ci/run"]
async fn the_command_line_does_the_whole_story() {
    let folder = tempfile::tempdir().unwrap();
    let atlas = Atlas {
        program: build().await,
        folder: folder.path(),
        google: google().await,
    };
    let (code, document) = atlas.run(&["mailbox", "sync"]).await;
    assert_eq!(
        (code, &document["error"]["code"]),
        (3, &"needs_person".into()),
        "{document:#}"
    );

    let (code, connected) = atlas.connect().await;
    assert_eq!(code, 0, "{connected:#}");
    assert_eq!(connected["connection"]["address"], OPS);
    let listed = atlas.done(&["mailbox", "list"]).await;
    assert_eq!(listed["mailboxes"].as_array().unwrap().len(), 1);

    let synced = atlas.done(&["mailbox", "sync"]).await;
    assert_eq!(synced["complete"], true, "{synced:#}");
    assert!(synced["messages_stored"].as_u64().unwrap() > 300, "{synced:#}");
    let inbox = atlas.done(&["mailbox", "inbox", "--limit", "5"]).await;
    assert_eq!(inbox["threads"].as_array().unwrap().len(), 5);

    let found = atlas.done(&["mailbox", "search", "RFQ 4471"]).await;
    let thread = found["threads"]
        .as_array()
        .unwrap()
        .iter()
        .find(|thread| thread["id"] == "18f0000000000001")
        .unwrap();
    let at_provider = atlas.done(&["mailbox", "search", "stainless", "--provider"]).await;
    assert!(!at_provider["messages"].as_array().unwrap().is_empty());
    let shown = atlas.done(&["mailbox", "show", thread["id"].as_str().unwrap()]).await;
    let message = &shown["messages"][0];
    assert!(
        message["text"].as_str().unwrap().contains("2000 pcs M8x40"),
        "{message:#}"
    );

    // Held: nothing leaves, and the script is told that a person has to act.
    let before = atlas.google.ids(Some("SENT")).await.unwrap().len();
    let id = message["meta"]["id"].as_str().unwrap();
    let (code, held) = atlas
        .run(&["mailbox", "reply", id, "--text", "We quote 0.21 EUR a piece."])
        .await;
    assert_eq!(code, 3, "{held:#}");
    let intent = held["held"].as_str().unwrap();
    assert_eq!(atlas.google.ids(Some("SENT")).await.unwrap().len(), before);
    let waiting = atlas.done(&["approvals", "list"]).await;
    assert_eq!(waiting["intents"].as_array().unwrap().len(), 1);

    // The digest of something else is refused, the one shown is not.
    let review = atlas.done(&["approvals", "show", intent]).await;
    let digest = review["digest"].as_str().unwrap();
    let (code, _) = atlas
        .run(&["approvals", "approve", intent, "--digest", &"0".repeat(64)])
        .await;
    assert_eq!(code, 2);
    let sent = atlas.done(&["approvals", "approve", intent, "--digest", digest]).await;
    assert_eq!(sent["state"], "sent", "{sent:#}");
    assert_eq!(atlas.google.ids(Some("SENT")).await.unwrap().len(), before + 1);
    assert_eq!(atlas.google.ids(Some("DRAFT")).await.unwrap().len(), 0);

    let ended = atlas.done(&["mailbox", "disconnect"]).await;
    assert_eq!(ended["status"], "disconnected", "{ended:#}");
    let (code, _) = atlas.run(&["mailbox", "sync"]).await;
    assert_eq!(code, 3);
    let (code, wrong) = atlas
        .run(&["mailbox", "show", "nothing", "--account", "nobody@acme.example"])
        .await;
    assert_eq!((code, &wrong["error"]["code"]), (2, &"usage".into()));
}

/// Builds the program as it is now, with the features that these tests are built with, and finds out where it lies.
async fn build() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--message-format=json", "--bin", "atlas"])
        .args(["-p", "atlas-connectors-examples", "-p", "atlas-connectors-tests"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let artifacts = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = artifacts.filter(|artifact| artifact["target"]["name"] == "atlas");
    programs
        .find_map(|artifact| artifact["executable"].as_str().map(PathBuf::from))
        .unwrap()
}

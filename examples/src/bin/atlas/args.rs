//! What can be typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::erp::args::Erp;

/// Mailboxes and ERPs on the command line: connect, sync, read, and let out what was approved.
///
/// Nothing leaves without an approval: `mailbox reply` and `erp write` write down what would happen, `approvals approve` lets it out.
#[derive(Debug, Parser)]
#[command(name = "atlas", version, about, arg_required_else_help = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// Settings for every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  failed; the message says what to do
  2  wrong usage
  3  a person has to act: sign in again, approve, choose
  4  passing failure; the same command may be tried again
  5  it is unknown whether it was sent or written: see `atlas outbox list`
  6  forbidden by policy

First steps:
  export ATLAS_CLIENT_ID=…apps.googleusercontent.com
  export ATLAS_CLIENT_SECRET_FILE=~/client-secret
  atlas mailbox connect
  atlas mailbox sync
  atlas mailbox inbox

  export ATLAS_ERP_SECRET_FILE=~/odoo-key
  atlas erp connect odoo --url https://acme.odoo.com --database acme --login bot@acme.example
  atlas erp read sale.order --filter 'state = sale and amount_total > 1000'";

/// Settings for every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Print JSON, one document, for scripts.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Folder of the state: database and sealing key. Default: the platform's data folder.
    #[arg(long, global = true, env = "ATLAS_STATE", value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
    /// File of the sealing key (32 bytes in base64, mode 0600). Default: made in the state folder.
    #[arg(long, global = true, env = "ATLAS_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Address of an emulator in Google's place; its OpenID discovery document names the endpoints.
    #[arg(long, global = true, env = "ATLAS_BASE_URL", value_name = "URL")]
    pub(crate) base_url: Option<url::Url>,
    /// OAuth client id of the app: at Google for a mailbox, at Entra for Business Central, at SAP with --token-url.
    #[arg(long, global = true, env = "ATLAS_CLIENT_ID", value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// File with the OAuth client secret. `ATLAS_CLIENT_SECRET` holds the secret itself; there is no option for it, as
    /// options show in process lists.
    #[arg(long, global = true, env = "ATLAS_CLIENT_SECRET_FILE", value_name = "FILE")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// File with rules about writes, as JSON: what is never written, and what is without a person. Default: everything is held.
    #[arg(long, global = true, env = "ATLAS_RULES", value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,
    /// Who is acting, for approvals and the audit. Default: the login name.
    #[arg(long = "as", global = true, env = "ATLAS_ACTOR", value_name = "NAME")]
    pub(crate) actor: Option<String>,
    /// Show what goes on inside, on standard error: `info`, `debug`, `trace`. Never holds a secret.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) log: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Connect, sync, read, search, draft, reply.
    #[command(subcommand)]
    Mailbox(Mailbox),
    /// Connect, read, check, write: Odoo, SAP, Business Central.
    #[command(subcommand)]
    Erp(Box<Erp>),
    /// Review what waits for approval.
    #[command(subcommand)]
    Approvals(Approvals),
    /// See what was sent, what waits, and decide about what is uncertain.
    #[command(subcommand)]
    Outbox(Outbox),
}

/// Commands on mailboxes. `ACCOUNT` is an address or a connection id; it may be left out where only one is connected.
#[derive(Debug, Subcommand)]
pub(crate) enum Mailbox {
    /// Sign in in the browser and connect the mailbox, or reconnect one.
    Connect {
        /// What the mailbox is for; decides which scopes are asked for.
        #[arg(long, value_enum, default_value_t = For::Reply)]
        r#for: For,
        /// Reconnect this account instead of adding one.
        #[arg(long, value_name = "ACCOUNT")]
        reconnect: Option<String>,
        /// Address to suggest at the sign-in page.
        #[arg(long, value_name = "ADDRESS")]
        hint: Option<String>,
        /// Port of 127.0.0.1 to return to; 0 takes a free one.
        #[arg(long, default_value_t = 0, value_name = "PORT")]
        port: u16,
        /// Print the address instead of opening a browser.
        #[arg(long)]
        no_browser: bool,
        /// How long to wait for the sign-in, in seconds.
        #[arg(long, default_value = "300", value_parser = seconds, value_name = "SECONDS")]
        timeout: Duration,
    },
    /// All connected mailboxes.
    List,
    /// Fetch what is new; the first time, everything.
    Sync {
        /// Which mailbox.
        account: Option<String>,
        /// Only messages of the last days, at the first sync.
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
    },
    /// The newest conversations.
    Inbox {
        /// Which mailbox.
        account: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 25)]
        limit: usize,
    },
    /// One conversation or message, by its id from `inbox` or `search`.
    Show {
        /// Id of the conversation or message.
        id: String,
        /// Which mailbox.
        #[arg(long)]
        account: Option<String>,
        /// Save attachments into this folder.
        #[arg(long, value_name = "FOLDER")]
        save: Option<PathBuf>,
    },
    /// Search by subject and participants in what was synced; with --provider, at the provider.
    Search {
        /// Words to look for.
        text: String,
        /// Which mailbox.
        #[arg(long)]
        account: Option<String>,
        /// Ask the provider instead of the local copy; finds words in bodies too.
        #[arg(long)]
        provider: bool,
        /// How many.
        #[arg(long, default_value_t = 25)]
        limit: usize,
    },
    /// Write down a new mail for approval.
    Draft {
        /// Recipient; may be given several times.
        #[arg(long, required = true, value_name = "ADDRESS")]
        to: Vec<String>,
        /// Copy; may be given several times.
        #[arg(long, value_name = "ADDRESS")]
        cc: Vec<String>,
        /// Blind copy; may be given several times.
        #[arg(long, value_name = "ADDRESS")]
        bcc: Vec<String>,
        /// Subject.
        #[arg(long)]
        subject: String,
        /// Text and attachments.
        #[command(flatten)]
        content: Content,
        /// Which mailbox.
        #[arg(long)]
        account: Option<String>,
    },
    /// Write down a reply to a message for approval.
    Reply {
        /// Id of the message.
        message: String,
        /// Reply to everyone.
        #[arg(long)]
        all: bool,
        /// Reply even to automatic mail, lists and bounces.
        #[arg(long)]
        even_automatic: bool,
        /// Text and attachments.
        #[command(flatten)]
        content: Content,
        /// Which mailbox.
        #[arg(long)]
        account: Option<String>,
    },
    /// State, last proof, coverage, gaps, and the steps that make sense now.
    Status {
        /// Which mailbox.
        account: Option<String>,
    },
    /// Revoke the grant at the provider and erase the stored secrets.
    Disconnect {
        /// Which mailbox.
        account: Option<String>,
    },
}

/// Text and attachments of a mail.
#[derive(Debug, Args)]
pub(crate) struct Content {
    /// The text; `-` reads standard input.
    #[arg(long, value_name = "TEXT", required_unless_present = "file")]
    pub(crate) text: Option<String>,
    /// File with the text, UTF-8.
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub(crate) file: Option<PathBuf>,
    /// File to attach; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,
}

/// Commands on approvals.
#[derive(Debug, Subcommand)]
pub(crate) enum Approvals {
    /// Everything that waits.
    List,
    /// What exactly would leave, with warnings.
    Show {
        /// The intent.
        intent: String,
    },
    /// Approve, and let it out.
    Approve {
        /// The intent.
        intent: String,
        /// Digest from `show`; refuses if the content is another.
        #[arg(long)]
        digest: Option<String>,
        /// Approve only; `outbox run` lets it out.
        #[arg(long)]
        hold: bool,
    },
    /// Reject; it will not happen.
    Reject {
        /// The intent.
        intent: String,
    },
}

/// Commands on the outbox.
#[derive(Debug, Subcommand)]
pub(crate) enum Outbox {
    /// All intents with their state.
    List,
    /// Let out what is approved and find out about what was interrupted.
    Run,
    /// Decide about an intent whose outcome is uncertain, after looking in the mailbox or the ERP.
    Resolve {
        /// The intent.
        intent: String,
        /// What you found.
        #[arg(value_enum)]
        outcome: Outcome,
    },
    /// Check that the audit chain is whole.
    Verify,
}

/// What the mailbox is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum For {
    /// Read only.
    Read,
    /// Read and change labels.
    Organize,
    /// Read and send approved mail; an interrupted send can end as uncertain.
    Send,
    /// Read, and reply through drafts in the mailbox; an interrupted send can be looked up.
    Reply,
}

/// What a person found about an uncertain intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Outcome {
    /// It was sent, or written.
    Sent,
    /// It was not.
    NotSent,
    /// Nobody can tell; give it up.
    Abandon,
}

pub(crate) fn seconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_secs)
}

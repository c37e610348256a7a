//! What can be typed after `atlas erp`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use url::Url;

use crate::args::seconds;

/// What `--filter` understands.
const FILTER_HELP: &str = "\
Filter:
  state = sale and amount_total > 1000         = != > >= < <=, joined by and, or, not, ( … )
  name contains 'Acme' or ref starts with C    texts with blanks or signs stand in quotes
  state in (draft, sent) and note is not null  in, not in, is null, is not null
  date_order >= 2026-01-01 and locked = no     days, moments (2026-01-01T08:00:00Z), yes and no
Names are those of `atlas erp catalog ENTITY`, and so are the types: what does not fit is refused
before anything is asked.";

/// Commands on ERPs. Where only one is connected, it is meant; otherwise name it with `--on`.
#[derive(Debug, Subcommand)]
pub(crate) enum Erp {
    /// Connect a system, or give a connection a new credential.
    ///
    /// Secrets are never options, which show in process lists: ATLAS_ERP_SECRET holds the secret, or --secret-file names a file with
    /// it.
    #[command(subcommand)]
    Connect(Box<Connect>),
    /// All connected systems.
    List,
    /// Try each capability with live calls that change nothing.
    Test {
        /// Entity to try; may be given several times. Reading is always tried.
        #[arg(long, value_name = "ENTITY")]
        entity: Vec<String>,
        /// Also try these verbs, as far as that changes nothing.
        #[arg(long, value_enum, value_name = "VERB")]
        verb: Vec<VerbName>,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// The companies that the account can work in, and choosing one.
    Companies {
        /// Work in this company from now on.
        #[arg(long, value_name = "ID")]
        select: Option<String>,
        /// Which system.
        #[arg(long, value_name = "CONNECTION")]
        on: Option<String>,
    },
    /// What the system has: all entities, or the fields and actions of one.
    Catalog {
        /// The entity.
        entity: Option<String>,
        /// Only what contains this text.
        #[arg(long, value_name = "TEXT")]
        find: Option<String>,
        /// Compare with a catalog that was saved; what changed is told.
        #[arg(long, value_name = "FILE")]
        diff: Option<PathBuf>,
        /// Save the catalog as JSON.
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Check that the system still is what a workflow was made for; exit code 3 if not, and the connection pauses.
    Check {
        /// File with what the workflow needs, as JSON: `{"workflow":…,"services":[…],"entities":[…]}`.
        file: PathBuf,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Read records.
    #[command(after_help = FILTER_HELP)]
    Read {
        /// The entity.
        entity: String,
        /// What to read.
        #[command(flatten)]
        shape: Shape,
        /// Which records; see below.
        #[arg(long, value_name = "EXPRESSION")]
        filter: Option<String>,
        /// Order by this field; `-field` for the largest first. May be given several times.
        #[arg(long, value_name = "FIELD", allow_hyphen_values = true, value_delimiter = ',')]
        order: Vec<String>,
        /// How many.
        #[arg(long, default_value_t = 50, conflicts_with = "all")]
        limit: u64,
        /// All of them.
        #[arg(long)]
        all: bool,
        /// Also ask how many there are.
        #[arg(long)]
        count: bool,
        /// Show how it would be read, and read nothing.
        #[arg(long)]
        explain: bool,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// One record.
    Get {
        /// The entity.
        entity: String,
        /// Its key: `42`, or `SalesOrder=1,SalesOrderItem=10` where it has several fields.
        key: String,
        /// What to read.
        #[command(flatten)]
        shape: Shape,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Records that changed, and the cursor to go on from.
    #[command(after_help = FILTER_HELP)]
    Changes {
        /// The entity.
        entity: String,
        /// Cursor of the last time; without one everything comes once.
        #[arg(long, value_name = "CURSOR")]
        since: Option<String>,
        /// What to read.
        #[command(flatten)]
        shape: Shape,
        /// Which records; see below.
        #[arg(long, value_name = "EXPRESSION")]
        filter: Option<String>,
        /// Where.
        #[command(flatten)]
        at: At,
    },
    /// Write down a change for approval. `atlas approvals approve` lets it out.
    #[command(subcommand)]
    Write(Box<Write>),
    /// Erase the stored secrets and end the connection.
    Disconnect {
        /// Which system.
        on: Option<String>,
    },
}

/// Where to work.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// Which system: its account, provider or connection id.
    #[arg(long, value_name = "CONNECTION")]
    pub(crate) on: Option<String>,
    /// Work in this company instead of the connection's own.
    #[arg(long, value_name = "ID")]
    pub(crate) company: Option<String>,
}

/// What of each record is read.
#[derive(Debug, Args)]
pub(crate) struct Shape {
    /// Fields, with commas between.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub(crate) select: Vec<String>,
    /// Relation whose records come along; `lines(item,quantity)` names their fields. May be given several times.
    #[arg(long, value_name = "RELATION")]
    pub(crate) expand: Vec<String>,
}

/// The three systems.
#[derive(Debug, Subcommand)]
pub(crate) enum Connect {
    /// Odoo 14 and later.
    Odoo {
        /// Address of the server, without what follows the name: `https://acme.odoo.com`
        #[arg(long, value_name = "URL")]
        url: String,
        /// Database, as the sign-in page or the administrator says it.
        #[arg(long, value_name = "NAME")]
        database: String,
        /// User that the key or password belongs to.
        #[arg(long, value_name = "LOGIN")]
        login: String,
        /// What the secret is.
        #[arg(long, value_enum, default_value_t = OdooSecret::Key)]
        auth: OdooSecret,
        /// Language of labels and translated values, such as `en_US`; it must be installed.
        #[arg(long, value_name = "LANGUAGE")]
        language: Option<String>,
        /// What all systems have.
        #[command(flatten)]
        common: Common,
    },
    /// SAP S/4HANA and SAP Gateway, OData V2 and V4.
    Sap {
        /// Address of the system, scheme and host: `https://my300001-api.s4hana.cloud.sap`
        #[arg(long, value_name = "URL")]
        address: String,
        /// V2 name, V4 group, or address of a service; may be given several times.
        #[arg(long = "service", required = true, value_name = "SERVICE")]
        services: Vec<String>,
        /// `sap-client`, three digits; the system's default without one.
        #[arg(long, value_name = "CLIENT")]
        client: Option<String>,
        /// Language of messages and labels, two letters.
        #[arg(long, value_name = "LANGUAGE")]
        language: Option<String>,
        /// Communication user, whose password is the secret. It is sent once only if it is wrong: repeated tries lock the user.
        #[arg(long, value_name = "USER", required_unless_present = "token_url")]
        user: Option<String>,
        /// Token address, for an OAuth client that signs in as itself: --client-id names it, and its secret is the secret.
        #[arg(long, value_name = "URL", conflicts_with = "user")]
        token_url: Option<Url>,
        /// What all systems have.
        #[command(flatten)]
        common: Common,
    },
    /// Dynamics 365 Business Central, in Microsoft's cloud or on a server of your own.
    #[command(name = "bc", alias = "business-central")]
    BusinessCentral(BusinessCentral),
}

/// Where a Business Central is and who signs in.
#[derive(Debug, Args)]
pub(crate) struct BusinessCentral {
    /// Environment, as the admin center shows it.
    #[arg(long, default_value = "Production", value_name = "NAME")]
    pub(crate) environment: String,
    /// Id of the Entra tenant; without one, that of whoever signs in.
    #[arg(long, value_name = "ID")]
    pub(crate) tenant: Option<String>,
    /// Who signs in.
    #[arg(long, value_enum, default_value_t = SignIn::Browser)]
    pub(crate) sign_in: SignIn,
    /// Address of an own server, with port and instance: `https://erp.example.com:7048/BC`. For --sign-in access-key.
    #[arg(long, value_name = "URL", required_if_eq("sign_in", "access-key"))]
    pub(crate) address: Option<String>,
    /// User of the access key.
    #[arg(long, value_name = "USER", required_if_eq("sign_in", "access-key"))]
    pub(crate) user: Option<String>,
    /// API: v2.0, or publisher/group/version.
    #[arg(long, value_name = "ROUTE")]
    pub(crate) route: Option<String>,
    /// Address of another cloud's or an emulator's API in place of Microsoft's.
    #[arg(long, value_name = "URL")]
    pub(crate) api_url: Option<Url>,
    /// Address of another cloud's or an emulator's sign-in in place of Microsoft's.
    #[arg(long, value_name = "URL")]
    pub(crate) login_url: Option<Url>,
    /// Port of 127.0.0.1 to return to after the sign-in; 0 takes a free one.
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub(crate) port: u16,
    /// Print the address instead of opening a browser.
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// How long to wait for the sign-in, in seconds.
    #[arg(long, default_value = "300", value_parser = seconds, value_name = "SECONDS")]
    pub(crate) timeout: Duration,
    /// What all systems have.
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What all systems have.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// File with the key, password or secret. `ATLAS_ERP_SECRET` holds it itself.
    #[arg(long, env = "ATLAS_ERP_SECRET_FILE", value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Company to work in, by id. Without it the only one is taken; with several, `atlas erp companies --select` asks for it.
    #[arg(long, value_name = "ID")]
    pub(crate) company: Option<String>,
    /// Give this connection a new credential instead of adding one.
    #[arg(long, value_name = "CONNECTION")]
    pub(crate) reconnect: Option<String>,
    /// The system stands in this private network: `10.20.0.0/16`, or one address.
    #[arg(long, value_name = "NETWORK")]
    pub(crate) network: Option<String>,
}

/// What an Odoo secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OdooSecret {
    /// An API key: Preferences, Account Security.
    Key,
    /// The user's password.
    Password,
}

/// Who signs in to Business Central.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignIn {
    /// A person, in the browser of this machine.
    Browser,
    /// A person, by a code that is typed on another device.
    Device,
    /// The app itself; its secret is the ERP secret, and --tenant is needed.
    App,
    /// A user of an own server, with a web service access key.
    AccessKey,
}

/// A verb to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerbName {
    /// Read.
    Read,
    /// Create.
    Create,
    /// Update.
    Update,
    /// Delete.
    Delete,
}

/// Changes. Fields are `name=value`; types come from the catalog; an empty value is null.
#[derive(Debug, Subcommand)]
pub(crate) enum Write {
    /// A new record.
    Create {
        /// The entity.
        entity: String,
        /// Fields.
        #[arg(value_name = "NAME=VALUE")]
        fields: Vec<String>,
        /// A line: `order_line:product_id=5,product_qty=10`. May be given several times; a comma in a value stands in quotes.
        #[arg(long, value_name = "RELATION:NAME=VALUE,…")]
        line: Vec<String>,
        /// Field and value that no other record has: by them it is found again if the answer is lost.
        #[arg(long, value_name = "NAME=VALUE")]
        natural_key: Option<String>,
        /// What all writes have.
        #[command(flatten)]
        common: WriteCommon,
    },
    /// Changed fields of a record. It is read first, and written only if it still is what was read.
    Update {
        /// The entity.
        entity: String,
        /// Its key.
        key: String,
        /// Fields.
        #[arg(value_name = "NAME=VALUE", required = true)]
        fields: Vec<String>,
        /// What all writes have.
        #[command(flatten)]
        common: WriteCommon,
    },
    /// A record to be deleted, as it is now.
    Delete {
        /// The entity.
        entity: String,
        /// Its key.
        key: String,
        /// What all writes have.
        #[command(flatten)]
        common: WriteCommon,
    },
    /// An action of a record: confirm, post, release.
    Call {
        /// The entity.
        entity: String,
        /// The action, as the catalog names it.
        action: String,
        /// Parameters.
        #[arg(value_name = "NAME=VALUE")]
        parameters: Vec<String>,
        /// The record it is called on; without one it is an action of the whole entity.
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        /// What all writes have.
        #[command(flatten)]
        common: WriteCommon,
    },
}

/// What all writes have.
#[derive(Debug, Args)]
pub(crate) struct WriteCommon {
    /// Name of the job that wants it: the same name again, after a crash, is the same write. Default: each command is one of its own.
    #[arg(long, value_name = "NAME")]
    pub(crate) once: Option<String>,
    /// Where.
    #[command(flatten)]
    pub(crate) at: At,
}

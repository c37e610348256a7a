//! The whole way of an approved action: the real outbox, the real connector over HTTP, the mock of Google behind it, and both stores.
//! What is lost, refused or changed on the way ends as `security-reliability.md` demands, and no mail leaves twice.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop"
)]

use std::sync::Arc;
use std::time::Duration;

use atlas_connectors::action::{Action, Connected, Intent, IntentState, Outbox, OutboxStore, Outcome, Proposal, Sent};
use atlas_connectors::credential::{KeyRing, Sealer};
use atlas_connectors::error::NotApproved;
use atlas_connectors::mail::{LabelChange, MARKER_HEADER, OutgoingMessage};
use atlas_connectors::store::{MemoryStore, SqliteStore};
use atlas_connectors::{ConnectionRef, ErrorKind, Identity, IntentId};
use atlas_connectors_gmail::mock::{ApiError, Fault, Google, Mail, USER};
use atlas_connectors_gmail::scopes;

mod live;

use live::LeapingClock;

const CREATE: &str = "gmail.users.drafts.create";
const SEND_DRAFT: &str = "gmail.users.drafts.send";
const SEND: &str = "gmail.users.messages.send";
const JANA: &str = "jana@precision-parts.example";

/// A host: everything that outlives a worker.
struct World {
    google: Google,
    clock: LeapingClock,
    connected: Connected,
    connection: ConnectionRef,
    granted: &'static str,
    outbox: Outbox,
}

impl World {
    async fn new(granted: &'static str, on_disk: bool) -> Self {
        let clock = LeapingClock::default();
        let shared = || Arc::new(clock.clone());
        let store: Arc<dyn OutboxStore> = match on_disk {
            true => Arc::new(SqliteStore::in_memory_with_clock(shared()).unwrap()),
            false => Arc::new(MemoryStore::with_clock(shared())),
        };
        let connected = Connected::new();
        let sealer = Sealer::new(Arc::new(KeyRing::ephemeral())).unwrap();
        let outbox = Outbox::builder(store, sealer, Arc::new(connected.clone()))
            .clock(shared())
            .settings(|settings| settings.step_timeout = Duration::from_secs(2))
            .build();
        let world = Self {
            google: Google::builder().clock(clock.clone()).start().await,
            clock,
            connected,
            connection: live::connection(),
            granted,
            outbox,
        };
        world.connect(&world.connection);
        world
    }

    fn connect(&self, connection: &ConnectionRef) {
        let mailbox = live::gmail(&self.google, connection, &[self.granted])
            .with_clock(Arc::new(self.clock.clone()))
            .mailbox()
            .unwrap();
        let identity = Identity {
            subject: "subject-1".to_owned(),
            address: Some(USER.to_owned()),
            tenant: None,
        };
        self.connected.put_mailbox(Arc::new(mailbox), identity);
    }

    fn reconnect(&self) {
        let mut next = self.connection.clone();
        next.epoch = next.epoch.next();
        self.connect(&next);
    }

    fn disconnect(&self) {
        self.connected
            .remove(&self.connection.tenant, &self.connection.connection);
    }

    fn mail(&self) -> OutgoingMessage {
        OutgoingMessage::builder()
            .from(USER)
            .to(JANA)
            .subject("Order 4471")
            .text("We order 40 pieces.\n")
            .build(&self.clock)
            .unwrap()
    }

    async fn proposed(&self, action: impl Action) -> Outcome {
        let proposal = Proposal::new(&self.connection, "agent", "order-4471");
        self.outbox.gate().propose(proposal, action).await.unwrap()
    }

    async fn approved(&self, action: impl Action) -> IntentId {
        let Outcome::Held { intent, review } = self.proposed(action).await else {
            panic!("nothing leaves without a person");
        };
        let gate = self.outbox.gate();
        gate.approve(&self.connection.tenant, &intent, &"mia".into(), &review.digest)
            .await
            .unwrap();
        intent
    }

    async fn intent(&self, intent: &IntentId) -> Intent {
        self.outbox
            .gate()
            .intent(&self.connection.tenant, intent)
            .await
            .unwrap()
    }

    /// Works until everything has come to rest, over all pauses and quiet periods.
    async fn settle(&self, intent: &IntentId) -> Intent {
        for _ in 0..12 {
            self.outbox.drain().await.unwrap();
            self.clock.leap(Duration::from_secs(1_200));
        }
        self.intent(intent).await
    }

    fn requests(&self, method: &str) -> u64 {
        self.google.counters().requests_of(method)
    }
}

async fn worlds(granted: &'static str) -> [World; 2] {
    [World::new(granted, false).await, World::new(granted, true).await]
}

#[tokio::test]
async fn a_mail_leaves_once_after_it_was_approved_and_not_before() {
    for world in worlds(scopes::MODIFY).await {
        let jana = world.google.mailbox(JANA);
        let mail = world.mail();
        let tenant = &world.connection.tenant;
        let Outcome::Held { intent, review } = world.proposed(mail.clone()).await else {
            panic!("nothing leaves without a person");
        };
        let early = world.outbox.dispatch(tenant, &intent).await.unwrap_err();
        assert_eq!(*early.kind(), ErrorKind::NotApproved(NotApproved::Missing));
        world.outbox.drain().await.unwrap();
        assert_eq!(
            world.google.counters().requests_total(),
            0,
            "nothing is asked of Gmail before the approval"
        );

        let gate = world.outbox.gate();
        gate.approve(tenant, &intent, &"mia".into(), &review.digest)
            .await
            .unwrap();
        let sent = world.outbox.dispatch(tenant, &intent).await.unwrap();
        assert_eq!(sent.state, IntentState::Sent);
        for _ in 0..2 {
            world.outbox.dispatch(tenant, &intent).await.unwrap();
            world.settle(&intent).await;
        }
        assert!(matches!(world.proposed(mail.clone()).await, Outcome::Known(known) if known.id == intent));

        let counters = world.google.counters();
        assert_eq!((counters.sends, counters.drafts_created), (1, 1));
        assert_eq!((world.requests(SEND_DRAFT), world.requests(SEND)), (1, 0));
        let left = &world.google.sent()[0];
        assert_eq!(left.recipients, [JANA]);
        assert_eq!(left.header(MARKER_HEADER).as_deref(), Some(mail.marker()));
        let outcome: Sent = sent.outcome_of::<OutgoingMessage>().unwrap();
        assert_eq!(outcome.message.unwrap().as_str(), left.id);
        assert_eq!(jana.labelled("INBOX").len(), 1);
        assert!(world.google.mailbox(USER).drafts().is_empty());
    }
}

/// How an approved mail ends when one method goes wrong once.
struct Case {
    fault: Fault,
    state: IntentState,
    sends: u64,
    /// Requests of the method that went wrong.
    requests: u64,
}

fn case(fault: impl Into<Fault>, state: IntentState, sends: u64, requests: u64) -> Case {
    Case {
        fault: fault.into(),
        state,
        sends,
        requests,
    }
}

/// Runs each case on both stores. Whatever happens, no draft is left behind.
async fn survive(granted: &'static str, method: &str, cases: impl IntoIterator<Item = Case>) {
    for case in cases {
        for world in worlds(granted).await {
            let told = format!("{method}, {:?}", case.fault);
            if case.fault == Fault::Api(ApiError::InsufficientScope) {
                world.google.faults().always(method, case.fault.clone());
            } else {
                world.google.faults().next(method, case.fault.clone());
            }
            let intent = world.approved(world.mail()).await;
            let ended = world.settle(&intent).await;
            assert_eq!(ended.state, case.state, "{told}: {:?}", ended.reason);
            assert_eq!(world.google.counters().sends, case.sends, "{told}: mails sent");
            assert_eq!(world.requests(method), case.requests, "{told}: requests");
            assert_eq!(world.google.faults().pending(), 0, "{told}: the fault struck");
            assert_eq!(world.google.mailbox(USER).drafts().len(), 0, "{told}: drafts left");
        }
    }
}

/// K5: nothing that counts has happened; another draft is made, or the same one found again.
#[tokio::test]
async fn a_lost_draft_is_found_or_made_again() {
    use IntentState::{NotSent, Sent};
    let cases = [
        case(Fault::CutBefore, Sent, 1, 2),
        case(Fault::CutAfter, Sent, 1, 1),
        case(Fault::HangAfter, Sent, 1, 1),
        case(Fault::Truncate(5), Sent, 1, 1),
        case(ApiError::Unavailable, Sent, 1, 2),
        case(ApiError::QuotaExceeded, Sent, 1, 2),
        case(ApiError::Unauthenticated, Sent, 1, 2),
        // No outage but something in the way: a person is told, and what was made is swept.
        case(Fault::HtmlAfter, NotSent, 0, 1),
        case(ApiError::InsufficientScope, NotSent, 0, 2),
    ];
    Box::pin(survive(scopes::MODIFY, CREATE, cases)).await;
}

/// F5, F7, F12, F26, F28 with a draft: whether it happened can be found out, so every mail leaves once.
#[tokio::test]
async fn a_lost_send_of_a_draft_is_looked_up() {
    use IntentState::{NotSent, Sent};
    let cases = [
        // The draft is still there: the same one is sent again.
        case(Fault::CutBefore, Sent, 1, 2),
        case(ApiError::Unavailable, Sent, 1, 2),
        case(ApiError::BadGateway, Sent, 1, 2),
        // It is gone and the mail is in SENT: nothing is repeated.
        case(Fault::CutAfter, Sent, 1, 1),
        case(Fault::HangAfter, Sent, 1, 1),
        // Accepted, the answer unreadable.
        case(Fault::HtmlAfter, Sent, 1, 1),
        case(Fault::OtherJsonAfter, Sent, 1, 1),
        case(Fault::Truncate(5), Sent, 1, 1),
        // Refused before acting.
        case(ApiError::MailSendingLimit, Sent, 1, 2),
        case(ApiError::QuotaExceeded, Sent, 1, 2),
        case(ApiError::Unauthenticated, Sent, 1, 2),
        case(ApiError::InsufficientScope, NotSent, 0, 2),
    ];
    Box::pin(survive(scopes::MODIFY, SEND_DRAFT, cases)).await;
}

/// The same with `gmail.send` alone: what cannot be looked up is left to an operator, and nothing is ever repeated.
#[tokio::test]
async fn a_lost_send_that_cannot_be_looked_up_is_left_to_a_person() {
    use IntentState::{NotSent, Sent, Uncertain};
    let cases = [
        case(Fault::CutBefore, Uncertain, 0, 1),
        case(Fault::CutAfter, Uncertain, 1, 1),
        case(Fault::HangAfter, Uncertain, 1, 1),
        case(ApiError::Unavailable, Uncertain, 0, 1),
        case(Fault::HtmlAfter, Sent, 1, 1),
        case(Fault::Truncate(5), Sent, 1, 1),
        case(ApiError::MailSendingLimit, Sent, 1, 2),
        case(ApiError::QuotaExceeded, Sent, 1, 2),
        case(ApiError::Unauthenticated, Sent, 1, 2),
        case(ApiError::InsufficientScope, NotSent, 0, 2),
    ];
    Box::pin(survive(scopes::SEND, SEND, cases)).await;
}

/// The fault that stops a send between its draft and the wire, so that somebody has time to touch the draft.
async fn with_a_waiting_draft(world: &World) -> (IntentId, String) {
    world.google.faults().next(SEND_DRAFT, Fault::CutBefore);
    let intent = world.approved(world.mail()).await;
    world.outbox.drain().await.unwrap();
    assert_eq!(world.intent(&intent).await.state, IntentState::Sending);
    let draft = world.google.mailbox(USER).drafts().remove(0);
    (intent, draft)
}

#[tokio::test]
async fn a_draft_that_somebody_has_edited_is_not_sent() {
    for world in worlds(scopes::MODIFY).await {
        let (intent, draft) = with_a_waiting_draft(&world).await;
        let more = Mail::from(USER)
            .to(JANA)
            .subject("Order 4471")
            .text("We order 4,000 pieces.");
        world.google.mailbox(USER).edit_draft(&draft, &more).unwrap();
        let ended = world.settle(&intent).await;
        assert_eq!(ended.state, IntentState::NotSent);
        assert_eq!(ended.reason.as_deref(), Some("not_approved.digest"));
        assert_eq!(world.google.counters().sends, 0);
        assert_eq!(
            world.google.mailbox(USER).drafts(),
            [draft],
            "the person's work is kept"
        );
    }
}

#[tokio::test]
async fn a_draft_that_somebody_has_sent_meanwhile_is_not_sent_again() {
    for world in worlds(scopes::MODIFY).await {
        let (intent, draft) = with_a_waiting_draft(&world).await;
        let by_hand = world.google.mailbox(USER).send_draft(&draft).unwrap();
        let ended = world.settle(&intent).await;
        assert_eq!(ended.state, IntentState::Sent);
        let found: Sent = ended.outcome_of::<OutgoingMessage>().unwrap();
        assert_eq!(found.message.unwrap().as_str(), by_hand);
        assert_eq!((world.google.counters().sends, world.requests(SEND_DRAFT)), (1, 1));
    }
}

#[tokio::test]
async fn a_draft_that_somebody_has_discarded_is_left_to_a_person() {
    for world in worlds(scopes::MODIFY).await {
        let (intent, draft) = with_a_waiting_draft(&world).await;
        assert!(world.google.mailbox(USER).discard_draft(&draft));
        assert_eq!(world.settle(&intent).await.state, IntentState::Uncertain);
        assert_eq!((world.google.counters().sends, world.requests(SEND_DRAFT)), (0, 1));
    }
}

#[tokio::test]
async fn labels_are_changed_through_the_outbox() {
    const MODIFY: &str = "gmail.users.messages.modify";
    for (fault, requests) in [(None, 1), (Some(Fault::CutBefore), 2), (Some(Fault::CutAfter), 2)] {
        for world in worlds(scopes::MODIFY).await {
            let inbox = world.google.mailbox(USER);
            let id = inbox.deliver(&Mail::from(JANA).to(USER).subject("RFQ 4471").text("Please quote."));
            let label = inbox.label("Orders");
            if let Some(fault) = fault.clone() {
                world.google.faults().next(MODIFY, fault);
            }
            let change = LabelChange {
                messages: vec![id.as_str().into()],
                add: vec![label.as_str().into()],
                remove: vec!["UNREAD".into()],
            };
            let intent = world.approved(change).await;
            assert_eq!(world.requests(MODIFY), 0);
            assert_eq!(world.settle(&intent).await.state, IntentState::Sent);
            let labels = inbox.message(&id).unwrap().labels;
            assert_eq!(labels, ["INBOX", label.as_str()]);
            assert_eq!(world.requests(MODIFY), requests, "{fault:?}");
            assert_eq!(world.google.counters().label_changes, 1);
        }
    }
}

#[tokio::test]
async fn a_reconnect_or_disconnect_voids_what_has_not_begun() {
    for leave in [World::reconnect as fn(&World), World::disconnect] {
        for world in worlds(scopes::MODIFY).await {
            let intent = world.approved(world.mail()).await;
            leave(&world);
            assert!(world.outbox.dispatch(&world.connection.tenant, &intent).await.is_err());
            assert_eq!(world.settle(&intent).await.state, IntentState::Cancelled);
            assert_eq!(world.google.counters().requests_total(), 0);
        }
    }
}

/// F23: what had begun is looked up under the account as it is connected now, and not repeated.
#[tokio::test]
async fn a_send_begun_before_a_reconnect_is_looked_up_and_not_repeated() {
    for (fault, state, sends) in [
        (Fault::CutAfter, IntentState::Sent, 1),
        (Fault::CutBefore, IntentState::NotSent, 0),
    ] {
        for world in worlds(scopes::MODIFY).await {
            world.google.faults().next(SEND_DRAFT, fault.clone());
            let intent = world.approved(world.mail()).await;
            world.outbox.drain().await.unwrap();
            world.reconnect();
            assert_eq!(world.settle(&intent).await.state, state, "{fault:?}");
            assert_eq!((world.google.counters().sends, world.requests(SEND_DRAFT)), (sends, 1));
        }
    }
}

#[tokio::test]
async fn a_send_begun_before_a_disconnect_ends_as_uncertain() {
    for world in worlds(scopes::MODIFY).await {
        let (intent, _) = with_a_waiting_draft(&world).await;
        world.disconnect();
        let ended = world.settle(&intent).await;
        assert_eq!(
            (ended.state, ended.reason.as_deref()),
            (IntentState::Uncertain, Some("disconnected"))
        );
        assert_eq!(world.requests(SEND_DRAFT), 1);
    }
}

/// The outbox asks what a mailbox can do, not what it was told: a connection that may read only sends nothing.
#[tokio::test]
async fn a_mailbox_without_the_scope_sends_nothing() {
    for world in worlds(scopes::READONLY).await {
        let intent = world.approved(world.mail()).await;
        assert_eq!(world.settle(&intent).await.state, IntentState::NotSent);
        assert_eq!(world.google.counters().requests_total(), 0);
    }
}

//! What came in and went out in the last week.

use std::time::Duration;

use atlas_connectors::{Clock as _, SystemClock, Timestamp};

use super::super::Mail;
use super::files;
use super::thread::Thread;

const HOUR: u64 = 60;
const DAY: u64 = 24 * HOUR;

/// A week of operations mail for [`USER`](crate::mock::USER) that ends now; see [`operations_until`].
pub fn operations() -> Vec<Mail> {
    operations_until(SystemClock.now())
}

/// A week of operations mail for [`USER`](crate::mock::USER), oldest first: orders, quotes, deliveries, a complaint
/// with a photo, an invoice, a price list, our own answers (`SENT`), and what is not to be answered: a bounce, an
/// out-of-office reply, a newsletter. In ten languages and most of their encodings; every domain is reserved.
///
/// The newest thread of the inbox is a customer's question that waits for a short reply.
///
/// ```
/// use atlas_connectors_gmail::mock::{Google, USER, operations};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let google = Google::start().await;
/// let inbox = google.mailbox(USER);
/// inbox.deliver_all(&operations());
/// let newest = inbox.labelled("INBOX").pop().unwrap();
/// assert_eq!(newest.subject(), "Re: PO 48213: 40 brackets short");
/// # }
/// ```
pub fn operations_until(now: Timestamp) -> Vec<Mail> {
    let ago = |minutes: u64| now.before(Duration::from_secs(60 * minutes));
    let mut mails = Vec::new();

    mails.extend(
        Thread::new(
            now,
            "Emma Clarke <emma.clarke@northfield-pumps.example>",
            "po-48213",
            "PO 48213: 40 brackets short",
        )
        .they(
            5 * HOUR,
            "Hello,\n\nwe ordered 240 brackets SB-220 on PO 48213 and counted 200. The delivery note says 240.\nCould you check please?\n\nEmma Clarke\nNorthfield Pumps\n",
        )
        .read()
        .we(
            4 * HOUR,
            "Hello Emma,\n\nsorry about that. The warehouse found one carton of 40 that missed the truck.\nI will come back to you with a date.\n\nAcme Operations\n",
        )
        .they(
            12,
            "Thank you for looking so quickly.\n\nOur line stops on Thursday without them. Can the 40 brackets leave tomorrow by courier, and can you confirm that freight is on you?\n\nEmma\n",
        )
        .end(),
    );
    mails.extend(
        Thread::new(
            now,
            "Jana Novak <jana@precision-parts.example>",
            "rfq-4471",
            "RFQ 4471: M8 stainless hex bolts",
        )
        .we(
            6 * DAY,
            "Dear Jana,\n\nplease quote 2,000 pieces M8x40 A4, delivery within three weeks.\n\nAcme Operations\n",
        )
        .they(
            5 * DAY,
            "Hello,\n\nEUR 0.38 each, ten working days. The price list is attached.\n\nJana Novak\n",
        )
        .attach("prices.csv", "text/csv", files::PRICES)
        .labels(&["INBOX", "Suppliers"])
        .we(
            4 * DAY,
            "Dear Jana,\n\nwe order 2,000 pieces at EUR 0.38. PO 48190 follows.\n\nAcme Operations\n",
        )
        .they(
            DAY,
            "Hello,\n\nthe bolts have left today; our invoice is attached.\n\nJana Novak\n",
        )
        .attach("invoice-2026-1187.pdf", "application/pdf", files::INVOICE)
        .labels(&["INBOX", "UNREAD", "Invoices"])
        .end(),
    );
    mails.extend(
        Thread::new(now, "Oliver Grant <o.grant@harbour-cranes.example>", "claim-77", "Complaint: cracked housing, lot 7731")
            .they(2 * DAY, "Hello,\n\none housing of lot 7731 has a crack along the flange, see the photo. Please tell us how to proceed.\n\nOliver Grant\n")
            .attach("crack.png", "image/png", files::PHOTO)
            .labels(&["INBOX", "STARRED", "Complaints"])
            .we(2 * DAY - 2 * HOUR, "Dear Oliver,\n\nplease keep the part; a replacement leaves our plant tomorrow.\n\nAcme Operations\n")
            .end(),
    );
    mails.extend(
        Thread::new(now, "Camille Lefevre <c.lefevre@ateliers-du-rhone.example>", "commande-9902", "Commande 9902 : délai de livraison")
            .they(3 * DAY, "Bonjour,\n\nnous attendons toujours les 60 supports de la commande 9902. Quand seront-ils expédiés ?\n\nCamille Lefèvre\n")
            .read()
            .we(3 * DAY - HOUR, "Bonjour,\n\nl'expédition est prévue vendredi ; vous recevrez le numéro de suivi.\n\nAcme Operations\n")
            .they(3 * DAY - 3 * HOUR, "Parfait, merci beaucoup. À bientôt !\n\nCamille Lefèvre\n")
            .read()
            .end(),
    );
    mails.extend(
        Thread::new(now, "Lucia Fernandez <lucia@valvulas-del-sur.example>", "pedido-3310", "Pedido 3310: ¿adelantar la entrega?")
            .they(DAY + 5 * HOUR, "Buenos días:\n\n¿Podrían adelantar la entrega del pedido 3310 una semana? El montaje empieza mañana.\n\nUn saludo,\nLucía Fernández\n")
            .read()
            .we(DAY + 3 * HOUR, "Buenos días, Lucía:\n\npodemos enviar la mitad el lunes.\n\nAcme Operations\n")
            .they(DAY + HOUR, "Nos sirve, muchas gracias. Quedamos a la espera del albarán.\n\nLucía\n")
            .end(),
    );
    mails.extend(
        Thread::new(now, "Petra Huber <p.huber@huber-antriebe.example>", "anfrage-118", "Anfrage: 500 Wellen Ø 20 mm")
            .they(4 * DAY, "Guten Tag,\n\nbitte bieten Sie uns 500 Wellen Ø 20 mm, Länge 180 mm, gehärtet an.\n\nMit freundlichen Grüßen\nPetra Huber\n")
            .read()
            .we(3 * DAY + 5 * HOUR, "Guten Tag Frau Huber,\n\nwir bieten 500 Stück zu 6,20 € an, Lieferzeit vier Wochen.\n\nAcme Operations\n")
            .end(),
    );
    mails.extend(
        Thread::new(
            now,
            "Warehouse 2 <warehouse2@acme-manufacturing.example>",
            "count-11",
            "Cycle count: 40 brackets SB-220 on dock 4",
        )
        .they(
            4 * HOUR + 20,
            "One carton of 40 brackets SB-220 stands on dock 4 without a label. Which order?\n",
        )
        .read()
        .end(),
    );

    for (file, minutes, labels) in [
        (files::AUTO_REPLY, 6 * DAY - 5, &["INBOX"][..]),
        (files::BOUNCE, 6 * DAY - 4, &["INBOX"]),
        (files::CHINESE, 5 * DAY + HOUR, &["INBOX"]),
        (files::ARABIC, 5 * DAY, &["INBOX", "Suppliers"]),
        (files::RUSSIAN, 4 * DAY + 2 * HOUR, &["INBOX"]),
        (files::MISLABELLED, 4 * DAY + HOUR, &["INBOX"]),
        (files::NEWSLETTER, 2 * DAY + HOUR, &["INBOX", "CATEGORY_PROMOTIONS"]),
        (files::INVITATION, 2 * DAY - HOUR, &["INBOX", "UNREAD"]),
        (files::ITALIAN, DAY + 2 * HOUR, &["INBOX", "UNREAD", "Invoices"]),
        (files::JAPANESE, 20 * HOUR, &["INBOX", "UNREAD"]),
        (files::POLISH, 9 * HOUR, &["INBOX", "Suppliers"]),
        (files::GERMAN, 3 * HOUR, &["INBOX", "UNREAD"]),
    ] {
        mails.push(files::mail(file, ago(minutes)).labels(labels));
    }
    mails.sort_by_key(Mail::moment);
    mails
}

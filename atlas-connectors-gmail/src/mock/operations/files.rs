//! Mails whose bytes matter: charsets, reports, an invitation. Kept with bare line feeds and without a date.
//! The Chinese, Arabic, Russian and mislabelled ones, the auto-reply and the newsletter are test mails in the public
//! domain (CC0).

use atlas_connectors::Timestamp;

use super::super::Mail;
use super::super::send::rfc2822;

pub(super) const ARABIC: &[u8] = include_bytes!("arabic.eml");
pub(super) const AUTO_REPLY: &[u8] = include_bytes!("auto-reply.eml");
pub(super) const BOUNCE: &[u8] = include_bytes!("bounce.eml");
pub(super) const CHINESE: &[u8] = include_bytes!("chinese.eml");
pub(super) const GERMAN: &[u8] = include_bytes!("german.eml");
pub(super) const INVITATION: &[u8] = include_bytes!("invitation.eml");
pub(super) const ITALIAN: &[u8] = include_bytes!("italian.eml");
pub(super) const JAPANESE: &[u8] = include_bytes!("japanese.eml");
pub(super) const MISLABELLED: &[u8] = include_bytes!("mislabelled.eml");
pub(super) const NEWSLETTER: &[u8] = include_bytes!("newsletter.eml");
pub(super) const POLISH: &[u8] = include_bytes!("polish.eml");
pub(super) const RUSSIAN: &[u8] = include_bytes!("russian.eml");

pub(super) const INVOICE: &[u8] = include_bytes!("invoice-2026-1187.pdf");
pub(super) const PHOTO: &[u8] = include_bytes!("crack.png");
pub(super) const PRICES: &[u8] =
    b"article;description;unit price EUR;from quantity\r\n1040;hex bolt M8x40 A4;0.38;1000\r\n1050;hex bolt M8x50 A4;0.43;1000\r\n2210;bracket SB-220;4.90;100\r\n";

/// A mail of such a file, that arrived at this moment.
pub(super) fn mail(file: &[u8], moment: Timestamp) -> Mail {
    let mut raw = format!("Date: {}\r\n", rfc2822(moment)).into_bytes();
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        raw.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        raw.extend_from_slice(b"\r\n");
    }
    Mail::of_bytes(raw).at(moment)
}

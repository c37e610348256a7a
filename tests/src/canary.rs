//! Looks for secrets where none may be, in every form in which one could slip through.

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::NO_PAD;

/// Shorter pieces of a secret than this prove nothing, in bytes.
const SHORTEST: usize = 12;
/// By how many bytes a needle is looked up.
const PREFIX: usize = 8;

/// Secrets to look for: each raw, base64 and base64url at three offsets, hex, as a list of decimal bytes, url-encoded, JSON-escaped;
/// the whole and both halves where they are long enough.
///
/// ```
/// use atlas_connectors_tests::canary::Canaries;
///
/// let mut canaries = Canaries::new();
/// canaries.add("refresh token", b"1//0g-a-secret-of-some-length");
/// let leaks = canaries.search("log", b"grant_type=refresh_token&refresh_token=1%2F%2F0g-a-secret-of-some-length");
/// assert_eq!(leaks[0].secret, "refresh token");
/// assert!(canaries.search("log", b"oauth.refresh failed").is_empty());
/// ```
#[derive(Default)]
pub struct Canaries {
    names: Vec<String>,
    /// Whether a needle begins with these two bytes: nearly all places are passed over by this.
    beginnings: Vec<bool>,
    needles: HashMap<[u8; PREFIX], Vec<Needle>>,
    count: usize,
}

struct Needle {
    secret: usize,
    form: &'static str,
    bytes: Vec<u8>,
}

/// A secret that was found. Does not say what it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leak {
    /// Name of the secret.
    pub secret: String,
    /// In which form.
    pub form: &'static str,
    /// Where.
    pub sink: String,
    /// At which byte.
    pub at: usize,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}) in {} at byte {}",
            self.secret, self.form, self.sink, self.at
        )
    }
}

impl Canaries {
    /// Nothing to look for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks for this secret too.
    ///
    /// # Panics
    /// A secret that is too short to be told from chance.
    pub fn add(&mut self, name: impl Into<String>, secret: &[u8]) {
        assert!(secret.len() >= SHORTEST, "too short to be told from chance");
        let index = self.names.len();
        self.names.push(name.into());
        let (left, right) = secret.split_at(secret.len() / 2);
        for piece in [secret, left, right] {
            if piece.len() >= SHORTEST {
                for (form, bytes) in forms(piece) {
                    self.insert(Needle {
                        secret: index,
                        form,
                        bytes,
                    });
                }
            }
        }
    }

    /// How many secrets are looked for.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// How many spellings are looked for.
    pub fn spellings(&self) -> usize {
        self.count
    }

    /// Every place where a secret stands.
    pub fn search(&self, sink: &str, bytes: &[u8]) -> Vec<Leak> {
        let mut leaks = Vec::new();
        for (at, window) in bytes.windows(PREFIX).enumerate() {
            if !self.beginnings.get(beginning(window)).is_some_and(|begins| *begins) {
                continue;
            }
            let Some(candidates) = <[u8; PREFIX]>::try_from(window)
                .ok()
                .and_then(|key| self.needles.get(&key))
            else {
                continue;
            };
            let rest = bytes.get(at..).unwrap_or_default();
            for needle in candidates.iter().filter(|needle| rest.starts_with(&needle.bytes)) {
                leaks.push(Leak {
                    secret: self.names.get(needle.secret).cloned().unwrap_or_default(),
                    form: needle.form,
                    sink: sink.to_owned(),
                    at,
                });
            }
        }
        leaks
    }

    fn insert(&mut self, needle: Needle) {
        let Some(key) = needle
            .bytes
            .get(..PREFIX)
            .and_then(|prefix| <[u8; PREFIX]>::try_from(prefix).ok())
        else {
            return;
        };
        self.beginnings.resize(1 << 16, false);
        if let Some(begins) = self.beginnings.get_mut(beginning(&key)) {
            *begins = true;
        }
        let known = self.needles.entry(key).or_default();
        if known
            .iter()
            .all(|other| other.secret != needle.secret || other.bytes != needle.bytes)
        {
            known.push(needle);
            self.count += 1;
        }
    }
}

impl fmt::Debug for Canaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canaries")
            .field("secrets", &self.names)
            .finish_non_exhaustive()
    }
}

fn beginning(bytes: &[u8]) -> usize {
    match bytes {
        [first, second, ..] => usize::from(*first) << 8 | usize::from(*second),
        _ => 0,
    }
}

/// All spellings of a piece. Public for the test that plants each of them.
pub fn forms(piece: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let text = String::from_utf8_lossy(piece);
    let hex: String = piece.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = |between: &str| {
        let numbers: Vec<String> = piece.iter().map(ToString::to_string).collect();
        numbers.join(between).into_bytes()
    };
    let url: String = url::form_urlencoded::byte_serialize(piece).collect();
    let json = serde_json::to_string(&*text).unwrap_or_default();
    let debug = format!("{text:?}");
    let mut forms = vec![
        ("raw", piece.to_vec()),
        ("hex", hex.clone().into_bytes()),
        ("upper-case hex", hex.to_uppercase().into_bytes()),
        ("list of bytes", list(", ")),
        ("list of bytes", list(",")),
        ("url-encoded", url.clone().into_bytes()),
        ("url-encoded", lower_escapes(&url).into_bytes()),
        ("json", json.trim_matches('"').as_bytes().to_vec()),
        ("escaped", debug.trim_matches('"').as_bytes().to_vec()),
    ];
    for (form, alphabet) in [("base64", &STANDARD), ("base64url", &URL_SAFE)] {
        let engine = GeneralPurpose::new(alphabet, NO_PAD);
        for offset in 0..3 {
            // Only the characters that depend on nothing but the secret, whatever stands before and after it.
            let mut shifted = vec![0; offset];
            shifted.extend_from_slice(piece);
            let encoded = engine.encode(&shifted).into_bytes();
            let (from, to) = ((offset * 8).div_ceil(6), shifted.len() * 8 / 6);
            forms.push((form, encoded.get(from..to).unwrap_or_default().to_vec()));
        }
    }
    forms
}

/// `%2F` as `%2f`.
fn lower_escapes(text: &str) -> String {
    let mut left = 0_u8;
    let lower = |c: char| {
        let inside = left > 0;
        left = if c == '%' { 2 } else { left.saturating_sub(1) };
        if inside { c.to_ascii_lowercase() } else { c }
    };
    text.chars().map(lower).collect()
}

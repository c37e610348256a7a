//! Randomness from the operating system, in one place.

/// Fills the buffer with random bytes fit for keys, nonces and identifiers.
///
/// # Panics
/// When the operating system has no randomness to give. Nothing secret can be made then, and going on with
/// predictable bytes would be worse than stopping.
#[allow(clippy::panic, reason = "without randomness no secret may be made")]
pub(crate) fn fill(buffer: &mut [u8]) {
    if let Err(error) = getrandom::fill(buffer) {
        panic!("the operating system gave no randomness: {error}");
    }
}

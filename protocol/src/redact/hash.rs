//! Hashes that mean nothing outside this browser profile: HMAC-SHA-256 (RFC 2104) with the profile's secret, its first 128 bits.

use std::fmt::{self, Write as _};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::HASH;
use crate::key::Key;

/// How much of the digest is written, in bytes.
const LENGTH: usize = 16;

// What is hashed. Keys and other values never share a hash, nor does anything with the rules' fingerprint.
pub(super) const RULES: u8 = b'r';
const AS_KEY: u8 = b'k';
const AS_TEXT: u8 = b'v';

/// Makes the hashes of one profile.
#[derive(Clone)]
pub(super) struct Hasher(Hmac<Sha256>);

impl Hasher {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        // Its own block is as long as the secret: no length is wrong.
        Self(Hmac::new(&(*secret).into_block()))
    }

    /// The digest of some bytes, in hexadecimal.
    pub(super) fn text(&self, kind: u8, bytes: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(&[kind]);
        mac.update(bytes);
        let digest = mac.finalize().into_bytes();
        digest[..LENGTH]
            .iter()
            .fold(String::with_capacity(LENGTH * 2), |mut text, byte| {
                let _infallible = write!(text, "{byte:02x}");
                text
            })
    }

    /// What stands for a key.
    pub(super) fn key(&self, key: &Key) -> String {
        format!("{HASH}{}", self.text(AS_KEY, &key.to_bytes()))
    }

    /// What stands for a typed value without references. What is a key in a field has the same hash as a key.
    pub(super) fn value(&self, typed: &str) -> String {
        match Key::parse(typed) {
            Ok(key) => self.key(&key),
            Err(_) => format!("{HASH}{}", self.text(AS_TEXT, typed.as_bytes())),
        }
    }
}

/// Whether a text begins with what [`Hasher`] writes, at the end of a string.
pub(super) fn is_one(text: &str) -> bool {
    text.find('"')
        .is_some_and(|end| end == LENGTH * 2 && text[..end].bytes().all(|byte| byte.is_ascii_hexdigit()))
}

trait IntoBlock {
    fn into_block(self) -> hmac::digest::Key<Hmac<Sha256>>;
}

impl IntoBlock for [u8; 32] {
    /// RFC 2104: a key shorter than the block is filled up with zeros.
    fn into_block(self) -> hmac::digest::Key<Hmac<Sha256>> {
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        block[..self.len()].copy_from_slice(&self);
        block
    }
}

/// The secret is nobody's business.
impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hasher")
    }
}

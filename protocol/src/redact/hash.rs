//! Hashes that mean nothing elsewhere: HMAC-SHA-256 (RFC 2104) with the profile's secret, its first
//! 128 bits.
//!
//! Equal values have equal hashes only in one profile, one origin, and by one rule. Otherwise a
//! page could store guesses in its own database, and find by their hashes what another page's
//! records hold.
//!
//! The input is unambiguous: its purpose, the origin and the rule with their lengths, and then the
//! hashed bytes.

use std::{
    fmt::{self, Write as _},
    rc::Rc,
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::HASH;
use crate::key::{Key, MAX_TEXT};

/// How much of the digest is written, in bytes.
const LENGTH: usize = 16;

// What the input is for. The number changes with what hashes are made of: then all stores are read
// again.
const FINGERPRINT: &[u8] = b"idb-relay redaction 3: fingerprint\0";
const FIELD: &[u8] = b"idb-relay redaction 3: hash\0";

// The kinds of input. Keys and other values never share a hash.
const AS_KEY: u8 = b'k';
const AS_TEXT: u8 = b'v';

/// Makes the hashes of one profile, for one origin.
#[derive(Clone)]
pub(super) struct Hasher {
    secret: Hmac<Sha256>,
    /// The rules' texts.
    rules: Rc<[Vec<u8>]>,
    origin: String,
}

impl Hasher {
    /// For no origin yet.
    pub(super) fn new(secret: &[u8; 32], rules: Vec<Vec<u8>>) -> Self {
        Self {
            // Its own block is as long as the secret: no length is wrong.
            secret: Hmac::new(&(*secret).into_block()),
            rules: rules.into(),
            origin: String::new(),
        }
    }

    pub(super) fn of_origin(&self, origin: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            ..self.clone()
        }
    }

    /// A text that is another one for other rules.
    pub(super) fn fingerprint(&self) -> String {
        let mut mac = self.secret.clone();
        mac.update(FINGERPRINT);
        for rule in self.rules.iter() {
            update(&mut mac, rule);
        }
        digest(mac)
    }

    fn hash(&self, rule: usize, kind: u8, bytes: &[u8]) -> String {
        let mut mac = self.secret.clone();
        mac.update(FIELD);
        update(&mut mac, self.origin.as_bytes());
        update(&mut mac, self.rules.get(rule).map_or(&[], Vec::as_slice));
        mac.update(&[kind]);
        mac.update(bytes);
        format!("{HASH}{}", digest(mac))
    }

    /// What stands for a key by this rule.
    pub(super) fn key(&self, rule: usize, key: &Key) -> String {
        self.hash(rule, AS_KEY, &key.to_bytes())
    }

    /// What stands for a typed value without references. What is a key in a field has the same hash
    /// as a key, up to the longest key.
    pub(super) fn value(&self, rule: usize, typed: &str) -> String {
        match Key::parse(typed) {
            Ok(key) if typed.len() <= MAX_TEXT => self.key(rule, &key),
            _ => self.hash(rule, AS_TEXT, typed.as_bytes()),
        }
    }
}

/// Adds bytes so that it is clear where they end.
fn update(mac: &mut Hmac<Sha256>, bytes: &[u8]) {
    // No length here is past 64 bits.
    mac.update(&(bytes.len() as u64).to_be_bytes());
    mac.update(bytes);
}

/// In hexadecimal.
fn digest(mac: Hmac<Sha256>) -> String {
    let digest = mac.finalize().into_bytes();
    digest[..LENGTH]
        .iter()
        .fold(String::with_capacity(LENGTH * 2), |mut text, byte| {
            let _infallible = write!(text, "{byte:02x}");
            text
        })
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

/// The secret is not printed.
impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Hasher")
    }
}

//! The sign that a profile's host runs: a key beside its cursor that ends by itself soon after the
//! host has.
//!
//! `idb-relay apply` looks for it where several profiles use one site.

use std::time::Instant;

use redis::RedisError;

use super::link::Link;
use crate::timing;

/// The key of a sign.
pub(crate) fn key(cursor: &str) -> String {
    format!("{cursor}:runs")
}

/// When this host gave one last.
#[derive(Debug, Default)]
pub(super) struct Sign(Option<Instant>);

impl Sign {
    /// Gives one if it is time to.
    pub(super) fn give(&mut self, link: &mut Link) -> Result<(), RedisError> {
        if self
            .0
            .is_some_and(|given| given.elapsed() < timing::redis::sign())
        {
            return Ok(());
        }
        let stays = u64::try_from(timing::redis::sign_lasts().as_millis()).unwrap_or(u64::MAX);
        redis::cmd("SET")
            .arg(key(link.cursor_key()))
            .arg("")
            .arg("PX")
            .arg(stays)
            .exec(link.connection())?;
        self.0 = Some(Instant::now());
        Ok(())
    }
}

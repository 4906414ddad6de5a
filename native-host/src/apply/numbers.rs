//! Which numbers an event can have.
//!
//! Events up to the last one that was taken in hand are not applied again, so a number that no host
//! has given would have all genuine events below it passed over. A host's cursor moves with what it
//! puts into Redis, in one step; so when an event is here no number is beyond it.

use std::collections::HashMap;

use redis::{Connection, RedisError};

use super::{change::Change, cursor::number_in};
use crate::sinks;

/// The greatest number that is believed of a profile without a cursor. A journal's numbers begin
/// with the microseconds of its clock, and Redis's scripts tell no greater ones apart: the year
/// 2255.
const MOST: u64 = 1 << 53;

/// What is known of the hosts' cursors.
pub(super) struct Numbers {
    /// What stream they are about. `None` among them: hosts that only publish.
    streams: Vec<Option<String>>,
    /// Where each profile's was, so that it is asked for once in a batch.
    cursors: HashMap<String, u64>,
}

impl Numbers {
    /// Of hosts that put events into this stream, or into none.
    pub fn new(streams: Vec<Option<String>>) -> Self {
        Self {
            streams,
            cursors: HashMap::new(),
        }
    }

    /// Why the host of its profile cannot have given an event that has come its number, if so.
    pub fn fault(
        &mut self,
        connection: &mut Connection,
        change: &Change,
    ) -> Result<Option<String>, RedisError> {
        let Change {
            profile, sequence, ..
        } = change;
        let known = self.cursors.get(profile);
        if known.is_some_and(|known| sequence <= known) {
            return Ok(None);
        }
        let mut cursor = None;
        for stream in &self.streams {
            let key = sinks::redis::cursor_key(stream.as_deref(), profile);
            // Not GET, which fails where something else is.
            let (found,): (Option<Vec<u8>>,) = redis::cmd("MGET").arg(key).query(connection)?;
            cursor = cursor.max(found.and_then(number_in));
        }
        let Some(cursor) = cursor else {
            return Ok((*sequence > MOST).then(|| format!("no host has given it the number {sequence}")));
        };
        self.cursors.insert(profile.clone(), cursor);
        Ok((*sequence > cursor).then(|| {
            format!("its number {sequence} is beyond {cursor}, the last one of the host of profile {profile}")
        }))
    }
}

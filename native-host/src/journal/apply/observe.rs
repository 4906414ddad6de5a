//! What a read says about one record.

use std::borrow::Cow;

use protocol::event::Op;
use serde_json::value::RawValue;

use super::{
    super::{
        key::RecordKey,
        mirror::READ,
        store::{Place, RECORDS},
    },
    Batch, SLACK_MS,
    event::{Before, Draft},
};

/// A read transaction: it took place between these two times.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub began_at: i64,
    pub read_at: i64,
}

impl Batch<'_> {
    /// Compares a record with what was read of it (`None`: nothing is there). A difference is an event, unless the mirror's last
    /// word may be younger than the read: then the record is read again.
    pub(super) fn observe<'a>(
        &mut self,
        place: &Place,
        version: u64,
        store_name: &'a str,
        key: RecordKey,
        value: Option<&'a RawValue>,
        reading: Reading,
    ) -> rusqlite::Result<Option<Draft<'a>>> {
        let connection = &self.transaction;
        let single = &mut self.single;
        let store = self.state.stores.get(connection, place, version)?;
        let settling = &mut self.state.settling;
        let row = single.row(store.id, &key.bytes)?;
        let last_word = row.as_ref().map_or(store.swept_at, |row| row.at);
        let doubt = last_word >= reading.began_at.saturating_sub(SLACK_MS);
        let known = row.as_ref().and_then(|row| row.value.as_deref());
        if known == value.map(RawValue::get) {
            if !doubt && settling.settled(store.id, &key.bytes) {
                store.trust(connection, RECORDS)?;
            }
            return Ok(None);
        }
        if doubt {
            store.doubt(connection, RECORDS)?;
            settling.doubt(store.id, place, &key);
            return Ok(None);
        }
        single.write(
            store.id,
            &key.bytes,
            value.map(RawValue::get),
            READ,
            reading.read_at,
        )?;
        if settling.settled(store.id, &key.bytes) {
            store.trust(connection, RECORDS)?;
        }
        let before = match row {
            Some(row) => row.told(self.state.redacted_since),
            None if store.complete => Before::Absent,
            None => Before::Unknown,
        };
        Ok(Some(Draft {
            op: if value.is_some() { Op::Read } else { Op::Delete },
            store: store.id,
            store_name,
            key: Some(key),
            range: None,
            before,
            after: value.map(Cow::Borrowed),
            schema: None,
        }))
    }
}

//! What a read says about one record.

use std::borrow::Cow;

use protocol::event::Op;
use serde_json::value::RawValue;

use super::{
    super::{
        key::RecordKey,
        order::{Reading, SLACK_MS},
        settle::Settled,
        store::Place,
    },
    Batch,
    event::{Before, Draft},
};

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
        let value_read = value.map(RawValue::get);
        let last = row.as_ref().map_or(store.swept, |row| row.word);
        let same = row.as_ref().and_then(|row| row.value.as_deref()) == value_read;
        let mut younger = Some(last.at).filter(|at| reading.may_precede(*at));
        if !same {
            younger = younger.max(store.looks.after(reading, &key.bytes));
        }
        if let Some(at) = younger {
            if !same {
                store.doubt_records(connection, at.saturating_add(SLACK_MS))?;
                settling.doubt(store.id, place, &key);
            }
            return Ok(None);
        }
        let settled = settling.settled(store.id, &key.bytes);
        if settled == Settled::Last {
            store.trust_records(connection)?;
        }
        // What a whole-store read leaves as it is, it need not touch: the store remembers the read itself.
        if !same || reading.asked || settled != Settled::Not {
            single.write(store.id, &key.bytes, value_read, reading.word())?;
        }
        if same {
            return Ok(None);
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

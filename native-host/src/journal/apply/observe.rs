//! What a read says about records, one by one.

use std::borrow::Cow;

use protocol::event::Op;
use serde_json::value::RawValue;

use super::{
    super::{
        key::{RecordKey, Span},
        mirror::{Pages, UNTOLD},
        order::{Reading, SLACK_MS},
        settle::Settled,
        store::Place,
    },
    Batch,
    before::Before,
    drafts::Draft,
    event::Scene,
};

/// A record as it was read; without a value: nothing is there.
pub(super) type Observed<'a> = (RecordKey, Option<&'a RawValue>);

impl Batch<'_> {
    /// Compares records with what was read of them.
    pub(super) fn observe_all(
        &mut self,
        scene: Scene<'_>,
        place: &Place,
        observed: &[Observed<'_>],
        reading: Reading,
    ) -> rusqlite::Result<()> {
        for (key, value) in observed {
            self.observe(scene, place, key, *value, reading)?;
        }
        Ok(())
    }

    /// A stretch of a store was read as a whole: what the mirror has there and the read has not is
    /// gone.
    pub(super) fn observe_gone(
        &mut self,
        scene: Scene<'_>,
        place: &Place,
        span: &Span,
        reading: Reading,
        is_there: impl Fn(&[u8]) -> bool,
    ) -> rusqlite::Result<()> {
        let store = self.state.stores.get(&self.transaction, place, scene.version)?.id;
        let mut live = Pages::of(store, span);
        while let Some(page) = live.keys(self.mirror())? {
            for bytes in page {
                if !is_there(&bytes) {
                    let key = RecordKey::from_bytes(bytes).map_err(super::stored)?;
                    self.observe(scene, place, &key, None, reading)?;
                }
            }
        }
        Ok(())
    }

    /// Compares a record with what was read of it (`None`: nothing is there). A difference is an
    /// event, unless the mirror's last word may be younger than the read: then the record is read
    /// again.
    fn observe(
        &mut self,
        scene: Scene<'_>,
        place: &Place,
        key: &RecordKey,
        value: Option<&RawValue>,
        reading: Reading,
    ) -> rusqlite::Result<()> {
        let connection = &self.transaction;
        let single = &mut self.single;
        let store = self.state.stores.get(connection, place, scene.version)?;
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
                settling.doubt(store.id, place, key);
            }
            return Ok(());
        }
        // Today's rules make of it what it was made into before: from now on it may be told.
        let redacted = row
            .as_ref()
            .is_none_or(|row| row.value.is_none() || row.redaction == self.state.redaction);
        // The stream was owed what the mirror has, and other rules had made that.
        let untold = row
            .as_ref()
            .is_some_and(|row| row.value.is_some() && row.redaction == UNTOLD);
        let settled = settling.settled(store.id, &key.bytes);
        if settled == Settled::Last {
            store.trust_records(connection)?;
        }
        // What a whole-store read leaves as it is, it need not touch: the store remembers the read
        // itself.
        if !same || !redacted || reading.asked || settled != Settled::Not {
            single.write(store.id, &key.bytes, value_read, reading.word())?;
        }
        if same && !untold {
            return Ok(());
        }
        let before = Before::last_known(row.as_ref(), store, self.state.redaction);
        if !same
            && !reading.asked
            && settled == Settled::Not
            && store.find_unseen(connection, reading.read_at)?
        {
            self.outcome.unseen.insert(place.origin.clone());
        }
        let draft = Draft {
            key: Some(key.clone()),
            before,
            after: value.map(Cow::Borrowed),
            ..Draft::of(
                if value.is_some() { Op::Read } else { Op::Delete },
                store.id,
                &place.store,
            )
        };
        self.emit_one(scene, draft)
    }
}

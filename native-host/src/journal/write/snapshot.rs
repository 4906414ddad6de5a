//! What was read: chunks of stores, and single records on demand.

use protocol::body::{Record, Records, Snapshot};
use serde_json::value::RawValue;

use super::{
    super::{
        conflict::{resync, stamp::ReadSpan},
        key::{KeyDigest, RecordKey, Span},
        place::Place,
        scan::{Ordered, Scan, Unordered},
    },
    Batch, Refusal, Scope,
    event::EventContext,
    observe::{Observed, bytes_of},
    prepared::prepare,
    volume::is_long,
};

/// A record that is there; none if its key is too long.
fn present<'a>(record: &'a Record<'_>) -> Result<Option<Observed<'a>>, Refusal> {
    observed(record.key, Some(record.value))
}

fn observed<'a>(key: &RawValue, value: Option<&'a RawValue>) -> Result<Option<Observed<'a>>, Refusal> {
    if is_long(key) {
        return Ok(None);
    }
    Ok(Some((RecordKey::parse(key)?, value)))
}

impl Batch<'_> {
    pub(super) fn snapshot(&mut self, scope: Scope<'_>, snapshot: &Snapshot<'_>) -> Result<(), Refusal> {
        self.state.resyncs.extend_deadline(scope.origin);
        if snapshot.unordered {
            return self.unordered(scope, snapshot);
        }
        self.note_long_keys(snapshot.records.iter().map(|record| record.key));
        let span = Span::between(snapshot.after, snapshot.until)?;
        let observed = prepare(&snapshot.records, present, bytes_of)?;
        let place = place_of(scope, &snapshot.bucket, &snapshot.database, &snapshot.store);
        if self.refuse_new_store(&place)? {
            return Ok(());
        }
        let reading = self.reading_of(scope, snapshot.began_at, snapshot.read_at);
        self.rediscover_by_read(scope, &place, snapshot.version, reading)?;
        let event_context = event_context(
            scope,
            &snapshot.bucket,
            &snapshot.database,
            snapshot.version,
            reading,
        );
        let there = self.observe_all(event_context, &place, observed, reading)?;
        let is_finished =
            self.observe_gone(event_context, &place, &span, reading, |key| there.contains(&key))?;
        if is_finished {
            return self.end_stretch(&place, snapshot.version, &span, reading);
        }
        let store = self
            .state
            .stores
            .get(&self.transaction, &place, snapshot.version)?;
        Ok(store.add_read_mark(&self.transaction, reading, span.to)?)
    }

    pub(super) fn records(&mut self, scope: Scope<'_>, records: &Records<'_>) -> Result<(), Refusal> {
        self.note_long_keys(records.present.iter().map(|record| record.key));
        let present = prepare(&records.present, present, bytes_of)?;
        let absent = prepare(&records.absent, |key| observed(key, None), bytes_of)?;
        let place = place_of(scope, &records.bucket, &records.database, &records.store);
        if self.refuse_new_store(&place)? {
            return Ok(());
        }
        let reading = ReadSpan {
            is_answer: true,
            ..self.reading_of(scope, records.began_at, records.read_at)
        };
        let event_context = event_context(
            scope,
            &records.bucket,
            &records.database,
            records.version,
            reading,
        );
        self.observe_all(event_context, &place, present.chain(absent), reading)?;
        Ok(())
    }

    pub(super) fn reading_of(&self, scope: Scope<'_>, began_at: i64, read_at: i64) -> ReadSpan {
        let clock = self.state.clock;
        ReadSpan {
            context: scope.context,
            began_at: clock.bound(began_at),
            read_at: clock.bound(read_at),
            is_answer: false,
        }
    }

    /// A stretch was read, and each of its records is dealt with. Follows a whole-store read; once
    /// it has reached the end without a break, the mirror is complete.
    pub(super) fn end_stretch(
        &mut self,
        place: &Place,
        version: u64,
        span: &Span,
        reading: ReadSpan,
    ) -> Result<(), Refusal> {
        let context = reading.context;
        let store = self.state.stores.get(&self.transaction, place, version)?;
        let id = store.id;
        store.add_read_mark(&self.transaction, reading, span.to.clone())?;
        let all = Span::all();
        let before = self.state.scans.remove(id, context);
        let began_at = match before {
            _ if span.from == all.from => reading.began_at,
            // A document may have read this stretch before the one in front of it, which it then
            // read again.
            Some(Scan::Ordered(before)) if before.reached == KeyDigest::of(&span.from) => {
                before.began_at.min(reading.began_at)
            }
            _ => return Ok(()),
        };
        if span.to != all.to {
            let so_far = Ordered {
                began_at,
                reached: KeyDigest::of(&span.to),
            };
            self.state.scans.insert(id, context, Scan::Ordered(so_far));
            return Ok(());
        }
        Ok(self.known_as_a_whole(place, version, began_at)?)
    }

    /// Every record of the store has been read, from this time on.
    fn known_as_a_whole(&mut self, place: &Place, version: u64, began_at: i64) -> rusqlite::Result<()> {
        let store = self.state.stores.get(&self.transaction, place, version)?;
        let records = !self.state.requery.has_pending(store.id);
        store.finish_resync(&self.transaction, began_at, records)?;
        // It may have been read before what was lost was noticed.
        let lost = resync::since(&self.transaction, &place.origin)?.is_some_and(|since| began_at < since);
        store.end_whole_read(&self.transaction, began_at)?;
        let complete = !lost && !store.lacks_records();
        store.set_complete(&self.transaction, complete)
    }

    /// A chunk of a store whose keys are redacted. Between which keys it lies says nothing about
    /// the mirror's: only once all chunks are there is it known what is gone.
    fn unordered(&mut self, scope: Scope<'_>, snapshot: &Snapshot<'_>) -> Result<(), Refusal> {
        self.note_long_keys(snapshot.records.iter().map(|record| record.key));
        let observed = prepare(&snapshot.records, present, bytes_of)?;
        let bytes = |key: &RawValue| RecordKey::parse(key).map(|key| key.bytes);
        let after = snapshot.after.map(bytes).transpose()?;
        let until = snapshot.until.map(bytes).transpose()?;
        let place = place_of(scope, &snapshot.bucket, &snapshot.database, &snapshot.store);
        if self.refuse_new_store(&place)? {
            return Ok(());
        }
        let mut reading = self.reading_of(scope, snapshot.began_at, snapshot.read_at);
        self.rediscover_by_read(scope, &place, snapshot.version, reading)?;
        let store = self
            .state
            .stores
            .get(&self.transaction, &place, snapshot.version)?
            .id;
        let scan = match (self.state.scans.remove(store, scope.context), after) {
            (_, None) => Some(Unordered::new(reading.began_at)),
            (Some(Scan::Unordered(mut scan)), Some(after)) if scan.reached == KeyDigest::of(&after) => {
                scan.began_at = scan.began_at.min(reading.began_at);
                Some(scan)
            }
            _ => None,
        };
        let event_context = |reading| {
            event_context(
                scope,
                &snapshot.bucket,
                &snapshot.database,
                snapshot.version,
                reading,
            )
        };
        let there = self.observe_all(event_context(reading), &place, observed, reading)?;
        let scan = scan.map(|mut scan| {
            scan.see(there);
            scan
        });
        // Which keys it has passed is not known before its end.
        let passed = if scan.is_some() && until.is_none() {
            Span::all().to
        } else {
            Vec::new()
        };
        self.state
            .stores
            .get(&self.transaction, &place, snapshot.version)?
            .add_read_mark(&self.transaction, reading, passed)?;
        match (scan, until) {
            (Some(mut scan), Some(until)) => {
                scan.reached = KeyDigest::of(&until);
                let scan = Scan::Unordered(scan);
                self.state.scans.insert(store, scope.context, scan);
            }
            (Some(scan), None) => {
                // When its place was passed is not known of what is not there.
                reading.began_at = scan.began_at;
                let Some(seen) = scan.seen else { return Ok(()) };
                let is_finished =
                    self.observe_gone(event_context(reading), &place, &Span::all(), reading, |key| {
                        seen.contains(&key)
                    })?;
                if is_finished {
                    self.known_as_a_whole(&place, snapshot.version, scan.began_at)?;
                }
            }
            // A chunk is missing; most likely another host had it. All of them are needed.
            (None, None) => {
                self.outcome.snapshots.insert(scope.origin.to_owned());
            }
            (None, Some(_)) => {}
        }
        Ok(())
    }
}

pub(super) fn place_of(scope: Scope<'_>, bucket: &str, database: &str, store: &str) -> Place {
    Place {
        origin: scope.origin.to_owned(),
        bucket: bucket.to_owned(),
        database: database.to_owned(),
        store: store.to_owned(),
    }
}

pub(super) fn event_context<'a>(
    scope: Scope<'a>,
    bucket: &'a str,
    database: &'a str,
    version: u64,
    reading: ReadSpan,
) -> EventContext<'a> {
    EventContext {
        origin: scope.origin,
        bucket,
        database,
        version,
        context_name: scope.context_name,
        writer: None,
        ts_ms: reading.read_at,
        transaction: None,
    }
}

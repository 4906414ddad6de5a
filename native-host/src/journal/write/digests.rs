//! Stretches of a store that were read and are reported by their digests.
//!
//! A stretch of which the mirror has the same digest was read with what the mirror has. It is dealt
//! with as a [`snapshot`](super::snapshot) of just these records would be: conflicts end, stamps
//! and read marks move on. The stretches count in their order, and none counts behind one that
//! differs: the document tells that one's records first, so what a whole-store read has passed
//! always begins at the store's beginning.
//!
//! **Invariant:** nothing is written for a stretch that differs.

use protocol::{
    body::{Digests, MAX_STRETCH_RECORDS, MAX_STRETCHES, Stretch},
    digest::RecordsDigest,
};
use serde_json::value::RawValue;

use super::{
    super::{
        conflict::stamp::ReadSpan,
        key::{RecordKey, Span},
        mirror::Pages,
        place::Place,
    },
    Batch, Refusal, Scope,
    event::EventContext,
    snapshot::{event_context, place_of},
};

/// How many bytes of the mirror one delivery is compared with at most: several times what a
/// document asks about at once.
const MAX_COMPARED: u64 = 64 * 1024 * 1024;

/// What the mirror has of a stretch that was read alike.
struct Alike {
    /// Whether a read of the records leaves something to do, although it changes no value.
    needs_observing: bool,
}

impl Batch<'_> {
    /// How many of the stretches the mirror has alike, counted from the first one.
    pub(super) fn digests(&mut self, scope: Scope<'_>, digests: &Digests<'_>) -> Result<u32, Refusal> {
        self.state.resyncs.extend_deadline(scope.origin);
        let spans = spans_of(digests)?;
        let place = place_of(scope, &digests.bucket, &digests.database, &digests.store);
        if self.refuse_new_store(&place)? {
            return Ok(0);
        }
        let mut matched = 0;
        let mut bytes_left = MAX_COMPARED;
        for (stretch, span) in digests.stretches.iter().zip(spans) {
            let Some(alike) = self.compare(&place, stretch, &span, &mut bytes_left)? else {
                break;
            };
            let reading = self.reading_of(scope, stretch.began_at, stretch.read_at);
            self.rediscover_by_read(scope, &place, digests.version, reading)?;
            if alike.needs_observing {
                let event_context = event_context(
                    scope,
                    &digests.bucket,
                    &digests.database,
                    digests.version,
                    reading,
                );
                self.observe_mirrored(event_context, &place, &span, reading)?;
            }
            self.end_stretch(&place, digests.version, &span, reading)?;
            matched += 1;
        }
        Ok(matched)
    }

    /// Compares a stretch with the mirror; `None` if they differ.
    fn compare(
        &mut self,
        place: &Place,
        stretch: &Stretch<'_>,
        span: &Span,
        bytes_left: &mut u64,
    ) -> rusqlite::Result<Option<Alike>> {
        if stretch.records > MAX_STRETCH_RECORDS {
            return Ok(None);
        }
        let mut digest = RecordsDigest::default();
        let mut needs_observing = false;
        if let Some(version) = self.state.stores.version(&self.transaction, place)? {
            let store = self.state.stores.get(&self.transaction, place, version)?.id;
            needs_observing = self.state.requery.has_pending(store);
            let mut live = Pages::of(store, span);
            while !self.is_spent()
                && let Some((page, skipped)) = live.rows(self.mirror(), self.state.clock)?
            {
                self.volume.count_skipped(skipped);
                for (key, row) in page {
                    let value = row.value.as_deref().unwrap_or_default();
                    let size = (key.len() + value.len()) as u64;
                    if digest.records() == stretch.records || *bytes_left < size {
                        return Ok(None);
                    }
                    *bytes_left -= size;
                    self.volume.count_read(&key, row.value.as_deref());
                    let key = RecordKey::from_bytes(key).map_err(super::stored)?;
                    digest.add(key.text.get(), value);
                    needs_observing |= row.redaction != self.state.redaction;
                }
            }
        }
        if self.is_spent() {
            return Ok(None);
        }
        let is_alike = digest.records() == stretch.records && digest.finish() == stretch.digest;
        Ok(is_alike.then_some(Alike { needs_observing }))
    }

    /// A range of a store was read, and holds what the mirror has there.
    fn observe_mirrored(
        &mut self,
        event_context: EventContext<'_>,
        place: &Place,
        span: &Span,
        reading: ReadSpan,
    ) -> Result<(), Refusal> {
        let store = self
            .state
            .stores
            .get(&self.transaction, place, event_context.version)?
            .id;
        let mut live = Pages::of(store, span);
        while let Some((page, skipped)) = live.rows(self.mirror(), self.state.clock)? {
            self.volume.count_skipped(skipped);
            for (bytes, row) in page {
                let key = RecordKey::from_bytes(bytes).map_err(super::stored)?;
                let value = row.value.map(RawValue::from_string).transpose();
                let value = value.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                self.observe_all(
                    event_context,
                    place,
                    std::iter::once(Ok((key, value.as_deref()))),
                    reading,
                )?;
            }
        }
        Ok(())
    }
}

/// The ranges of keys of the stretches; an error unless each begins behind the one before.
fn spans_of(digests: &Digests<'_>) -> Result<Vec<Span>, Refusal> {
    if digests.stretches.len() > MAX_STRETCHES {
        let reason = format!("{} stretches at once", digests.stretches.len());
        return Err(Refusal::Malformed(reason));
    }
    let mut after = digests.after;
    let mut spans = Vec::with_capacity(digests.stretches.len());
    for (index, stretch) in digests.stretches.iter().enumerate() {
        let span = Span::between(after, stretch.until)?;
        let is_last = index + 1 == digests.stretches.len();
        if span.from >= span.to || (stretch.until.is_none() && !is_last) {
            return Err(Refusal::Malformed(
                "stretches that do not follow each other".to_owned(),
            ));
        }
        after = stretch.until;
        spans.push(span);
    }
    Ok(spans)
}

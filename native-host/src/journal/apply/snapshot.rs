//! What was read: stretches of stores, and single records on demand.

use std::collections::HashSet;

use protocol::commit::{Record, Records, Snapshot};
use serde_json::value::RawValue;

use super::{
    super::{
        key::{RecordKey, Span},
        store::{Place, RECORDS, WHOLE},
    },
    Batch, Refusal, Scope,
    event::Scene,
    observe::Reading,
};

type Observed<'a> = (RecordKey, Option<&'a RawValue>);

fn present<'a>(records: &'a [Record<'_>]) -> impl Iterator<Item = Result<Observed<'a>, Refusal>> {
    records
        .iter()
        .map(|record| Ok((RecordKey::parse(record.key)?, Some(record.value))))
}

impl Batch<'_> {
    pub(super) fn snapshot(&mut self, scope: Scope<'_>, snapshot: &Snapshot<'_>) -> Result<(), Refusal> {
        self.state.rereads.heard(scope.origin);
        let span = Span::between(snapshot.after, snapshot.until)?;
        let mut observed = present(&snapshot.records).collect::<Result<Vec<Observed<'_>>, _>>()?;
        let place = Place {
            origin: scope.origin.to_owned(),
            bucket: snapshot.bucket.clone().into_owned(),
            database: snapshot.database.clone().into_owned(),
            store: snapshot.store.clone().into_owned(),
        };
        let reading = Reading {
            began_at: snapshot.began_at,
            read_at: snapshot.read_at,
        };
        let store = self
            .state
            .stores
            .get(&self.transaction, &place, snapshot.version)?
            .id;
        let there: HashSet<&[u8]> = observed.iter().map(|(key, _)| &key.bytes[..]).collect();
        let mut gone = Vec::new();
        for (bytes, _) in self.mirror().live(store, &span)? {
            if !there.contains(&bytes[..]) {
                gone.push((RecordKey::from_bytes(bytes).map_err(super::stored)?, None));
            }
        }
        observed.extend(gone);
        let scene = scene(
            scope,
            &snapshot.bucket,
            &snapshot.database,
            snapshot.version,
            reading,
        );
        self.observe_all(scene, &place, &snapshot.store, observed, reading)?;
        self.scanned(scope.context, &place, snapshot, span)
    }

    pub(super) fn records(&mut self, scope: Scope<'_>, records: &Records<'_>) -> Result<(), Refusal> {
        let absent = records
            .absent
            .iter()
            .map(|key| Ok((RecordKey::parse(key)?, None)));
        let observed = present(&records.present)
            .chain(absent)
            .collect::<Result<Vec<Observed<'_>>, Refusal>>()?;
        let place = Place {
            origin: scope.origin.to_owned(),
            bucket: records.bucket.clone().into_owned(),
            database: records.database.clone().into_owned(),
            store: records.store.clone().into_owned(),
        };
        let reading = Reading {
            began_at: records.began_at,
            read_at: records.read_at,
        };
        let scene = scene(
            scope,
            &records.bucket,
            &records.database,
            records.version,
            reading,
        );
        Ok(self.observe_all(scene, &place, &records.store, observed, reading)?)
    }

    fn observe_all<'a>(
        &mut self,
        scene: Scene<'_>,
        place: &Place,
        store_name: &'a str,
        observed: Vec<Observed<'a>>,
        reading: Reading,
    ) -> rusqlite::Result<()> {
        let mut drafts = Vec::new();
        for (key, value) in observed {
            drafts.extend(self.observe(place, scene.version, store_name, key, value, reading)?);
        }
        self.emit(scene, drafts)
    }

    /// Follows a whole-store read; once it has reached the end without a break, the mirror is complete.
    fn scanned(
        &mut self,
        context: i64,
        place: &Place,
        snapshot: &Snapshot<'_>,
        span: Span,
    ) -> Result<(), Refusal> {
        let store = self
            .state
            .stores
            .get(&self.transaction, place, snapshot.version)?;
        let reached = self.state.scans.remove(&(context, store.id));
        let unbroken = snapshot.after.is_none() || reached.is_some_and(|reached| reached == span.from);
        if !unbroken {
            return Ok(());
        }
        if snapshot.until.is_some() {
            self.state.scans.insert((context, store.id), span.to);
            return Ok(());
        }
        store.set_complete(&self.transaction, true)?;
        store.trust(&self.transaction, WHOLE)?;
        if !self.state.settling.waits(store.id) {
            store.trust(&self.transaction, RECORDS)?;
        }
        Ok(())
    }
}

fn scene<'a>(
    scope: Scope<'a>,
    bucket: &'a str,
    database: &'a str,
    version: u64,
    reading: Reading,
) -> Scene<'a> {
    Scene {
        origin: scope.origin,
        bucket,
        database,
        version,
        context_name: scope.context_name,
        ts_ms: reading.read_at,
        transaction: None,
    }
}

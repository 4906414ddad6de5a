//! What holds for every feed, regardless of what the page wrote.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use protocol::{
    key::Key,
    value::{self, PlainError},
};
use serde_json::Value;

use super::{Event, Record};

/// The events are exactly these ([`Event::line`]), in this order.
pub fn exactly<S: AsRef<str>>(events: &[Event], expected: &[S]) -> Result<()> {
    let mut lines = events.iter().map(Event::line);
    let mut expected = expected.iter().map(AsRef::as_ref);
    for number in 1.. {
        match (lines.next(), expected.next()) {
            (None, None) => break,
            (line, expected) => ensure!(
                line.as_deref() == expected,
                "event {number} is {}\n     expected: {}",
                line.as_deref().unwrap_or("missing"),
                expected.unwrap_or("no further event")
            ),
        }
    }
    Ok(())
}

/// Nothing lost, nothing twice, nothing out of order: each event's number follows its
/// predecessor's.
pub fn numbered_without_gaps(events: &[Event]) -> Result<()> {
    for pair in events.windows(2) {
        ensure!(
            pair[1].sequence() == pair[0].sequence() + 1,
            "event {} follows event {}:\n{}\n{}",
            pair[1].sequence(),
            pair[0].sequence(),
            pair[0].json(),
            pair[1].json()
        );
    }
    Ok(())
}

/// Every transaction is there from its first event to its last, with nothing between.
pub fn whole_transactions(events: &[Event]) -> Result<()> {
    let mut rest = events;
    while let Some(first) = rest.first() {
        let Some(id) = first.transaction() else {
            rest = &rest[1..];
            continue;
        };
        let length = rest
            .iter()
            .take_while(|event| event.transaction() == Some(id))
            .count();
        for (event, order) in rest[..length].iter().zip(1..) {
            let transaction = &event.json()["transaction"];
            ensure!(
                transaction["total_order"] == order && transaction["event_count"] == length,
                "of transaction {id} there are {length} events; this one should be number {order}: {}",
                event.json()
            );
        }
        rest = &rest[length..];
    }
    Ok(())
}

/// Read from the first to the last, the events leave exactly these records.
pub fn lead_to(events: &[Event], records: &[Record]) -> Result<()> {
    let mut state = BTreeMap::new();
    for event in events {
        let json = event.json();
        if json["source"]["late"] == true {
            continue;
        }
        let place = |key: &str| -> Result<_> {
            Ok((
                json["source"]["bucket"].as_str().unwrap_or_default().to_owned(),
                event.database().to_owned(),
                json["source"]["store"].as_str().unwrap_or_default().to_owned(),
                Key::parse(key)?.to_bytes(),
            ))
        };
        match event.op() {
            // What becomes of the records follows in events of their own.
            "t" | "s" => {}
            "d" => {
                state.remove(&place(&json["key"].to_string())?);
            }
            _ => {
                let after = json
                    .get("after")
                    .with_context(|| format!("no `after` in {json}"))?;
                let plain = match value::plain(&after.to_string(), usize::MAX) {
                    Ok(plain) => serde_json::from_str(&plain)?,
                    // What was cut leads nowhere: no record of IndexedDB says so.
                    Err(PlainError::Cut { .. }) => after.clone(),
                    Err(error) => return Err(error.into()),
                };
                state.insert(place(&json["key"].to_string())?, plain);
            }
        }
    }
    for record in records {
        let place = (
            record.bucket.clone(),
            record.database.clone(),
            record.store.clone(),
            Key::parse(&record.key)?.to_bytes(),
        );
        let expected: Value = serde_json::from_str(&record.value)?;
        let replayed = state.remove(&place);
        ensure!(
            replayed.as_ref() == Some(&expected),
            "the events lead to {replayed:?} where IndexedDB has {record:?}"
        );
    }
    ensure!(
        state.is_empty(),
        "the events lead to records that IndexedDB has not: {state:?}"
    );
    Ok(())
}

/// What a reader of the stream that skips late events keeps of a key, one value after the other.
pub fn kept<'e>(events: &'e [Event], key: &str) -> Vec<&'e Value> {
    let events = events.iter().map(Event::json);
    events
        .filter(|event| event["key"] == key && event["source"]["late"] != true)
        .map(|event| &event["after"])
        .collect()
}

//! Whether journal, stream, channels and cache say what the browser holds.

use std::{collections::BTreeMap, fmt::Debug};

use idb_relay::journal::read::Reader;
use protocol::{
    event::{Event, Op},
    name::Template,
};

use super::{
    browser::Browser,
    lab::Lab,
    listener::Message,
    model::{Address, Value},
};

/// What is wrong, for a person.
pub type Verdict = Result<(), String>;

/// The mirror holds what the browser does, nothing is in doubt, and both sinks have passed on
/// everything.
pub fn journal_is_settled(reader: &Reader, browser: &Browser) -> Verdict {
    let failed = |error: idb_relay::journal::JournalError| error.to_string();
    let mut mirror = BTreeMap::new();
    for store in reader.stores().map_err(failed)? {
        if store.pending_reads {
            return Err(format!("{:?} is in doubt", store.place));
        }
        let place = store.place;
        reader
            .each_record(store.id, |key, value| {
                let address = (
                    place.origin.clone(),
                    place.bucket.clone(),
                    place.database.clone(),
                    place.store.clone(),
                    key.to_owned(),
                );
                mirror.insert(address, value.to_owned());
                Ok(())
            })
            .map_err(failed)?;
    }
    let world = browser.world.records(&browser.origins);
    same("the mirror", &mirror, &typed(&world))?;
    let head = reader.head().map_err(failed)?;
    for sink in reader.sinks().map_err(failed)? {
        if sink.number < head || sink.state != "running" {
            return Err(format!("{sink:?} is not at {head}"));
        }
    }
    Ok(())
}

fn typed(world: &BTreeMap<Address, &Value>) -> BTreeMap<Address, String> {
    world
        .iter()
        .map(|(address, value)| (address.clone(), value.typed.clone()))
        .collect()
}

/// The stream has each event of the journal once and in order, transactions are whole, none is
/// missing, and all of them together say what the browser holds.
pub fn stream_is_whole(lab: &Lab, reader: &Reader, browser: &Browser) -> Verdict {
    let journal = reader
        .events(0, usize::MAX >> 1, usize::MAX)
        .map_err(|error| error.to_string())?;
    let stream = lab.redis.stream_text();
    if journal.len() != stream.len() {
        let places = journal.iter().zip(&stream);
        let at = places.take_while(|(entry, text)| *entry.event == ***text).count();
        return Err(format!(
            "the journal has {} events, the stream {}; they part at place {at}: {:?} and {:?}",
            journal.len(),
            stream.len(),
            journal.get(at).map(|entry| shown(&entry.event)),
            stream.get(at).map(|text| shown(text))
        ));
    }
    let mut replica = BTreeMap::new();
    let mut transactions: BTreeMap<String, u64> = BTreeMap::new();
    let mut open: Option<(String, u64, u64)> = None;
    let first = journal.first().map_or(0, |entry| entry.number);
    for (number, (entry, text)) in (first..).zip(journal.iter().zip(&stream)) {
        if *entry.event != **text {
            return Err(format!(
                "the stream has {} for {}",
                shown(text),
                shown(&entry.event)
            ));
        }
        let event: Event<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let sequence = event.source.sequence;
        if (entry.number, sequence) != (number, number) {
            return Err(format!("event {number} is {} with {sequence}", entry.number));
        }
        open = transaction(&event, open, &mut transactions)?;
        apply(&event, &mut replica)?;
    }
    if let Some(open) = open {
        return Err(format!("the last transaction is not whole: {open:?}"));
    }
    for id in &browser.acknowledged {
        if transactions.get(id) != Some(&1) {
            return Err(format!(
                "transaction {id} is there {:?} times",
                transactions.get(id)
            ));
        }
    }
    let world = browser.world.records(&browser.origins);
    same("the stream, replayed,", &replica, &typed(&world))
}

/// Where a transaction is: its id, the event's place and the number of its events.
type Progress = (String, u64, u64);

/// Follows the transactions: the one that is not at its end.
fn transaction(
    event: &Event<'_>,
    open: Option<Progress>,
    transactions: &mut BTreeMap<String, u64>,
) -> Result<Option<Progress>, String> {
    let now = event
        .transaction
        .as_ref()
        .map(|now| (now.id.clone().into_owned(), now.total_order, now.event_count));
    let expected = open.map(|(id, order, count)| (id, order + 1, count));
    match (expected, now) {
        (None, None) => Ok(None),
        (None, Some((id, 1, count))) => {
            *transactions.entry(id.clone()).or_default() += 1;
            Ok((count > 1).then_some((id, 1, count)))
        }
        (Some(expected), Some(now)) if expected == now => Ok((now.1 < now.2).then_some(now)),
        (expected, now) => Err(format!(
            "a transaction is torn: {expected:?} was to come, {now:?} came"
        )),
    }
}

/// What a reader of the stream makes of an event.
fn apply(event: &Event<'_>, replica: &mut BTreeMap<Address, String>) -> Verdict {
    let Some(key) = event.key.filter(|_| !event.source.late) else {
        return Ok(());
    };
    let source = &event.source;
    let address = (
        source.origin.clone().into_owned(),
        source.bucket.clone().into_owned(),
        source.database.clone().into_owned(),
        source.store.clone().into_owned(),
        key.get().to_owned(),
    );
    let known = replica.get(&address).map_or("null", String::as_str);
    match event.before {
        None => {}
        // With `add` the page itself says that there was none, even if earlier events disagree.
        Some(before) if before.get() == "null" && event.op == Op::Create => {}
        Some(before) if before.get() == known => {}
        Some(before) => {
            return Err(format!(
                "{} was not before {address:?}, but {}",
                shown(before.get()),
                shown(known)
            ));
        }
    }
    if event.op == Op::Delete {
        replica.remove(&address);
    } else {
        replica.insert(address, event.after.get().to_owned());
    }
    Ok(())
}

/// Checks that the received messages are the journal's events, in order and on the right channels,
/// and all of them if the server was always well.
pub fn channels_kept_order(messages: &[Message], reader: &Reader, all: bool, may_repeat: bool) -> Verdict {
    let template = Template::channel("idb:{origin}:{database}:{store}").expect("the default");
    let journal = reader
        .events(0, usize::MAX >> 1, usize::MAX)
        .map_err(|error| error.to_string())?;
    let first = journal.first().map_or(0, |entry| entry.number);
    let mut last = 0;
    for (channel, text) in messages {
        let event: Event<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let number = event.source.sequence;
        if number <= last && !may_repeat {
            return Err(format!("event {number} was received after {last}"));
        }
        last = last.max(number);
        let place = usize::try_from(number.wrapping_sub(first)).unwrap_or(usize::MAX);
        let entry = journal.get(place).filter(|entry| *entry.event == **text);
        let Some(entry) = entry else {
            return Err(format!(
                "{} was received, which is not event {number}",
                shown(text)
            ));
        };
        let place = reader.place(entry.store).map_err(|error| error.to_string())?;
        if *channel != template.store_name(place.names()) {
            return Err(format!("event {number} was received on {channel}"));
        }
    }
    if all && messages.len() != journal.len() {
        return Err(format!(
            "{} of {} events were received, though the server was always there",
            messages.len(),
            journal.len()
        ));
    }
    Ok(())
}

/// Memcached holds the browser's records and nothing else.
pub fn cache_is_exact(lab: &Lab, browser: &Browser) -> Verdict {
    same("Memcached", &lab.cached(), &browser.world.cache(&browser.origins))
}

fn same<K: Ord + Debug>(what: &str, found: &BTreeMap<K, String>, expected: &BTreeMap<K, String>) -> Verdict {
    if found == expected {
        return Ok(());
    }
    let mut differences = Vec::new();
    for (key, value) in expected {
        match found.get(key) {
            Some(other) if other == value => {}
            Some(other) => {
                differences.push(format!("{key:?} is stale: {} for {}", shown(other), shown(value)));
            }
            None => differences.push(format!("{key:?} is missing: {}", shown(value))),
        }
    }
    for (key, value) in found {
        if !expected.contains_key(key) {
            differences.push(format!("{key:?} is too much: {}", shown(value)));
        }
    }
    let count = differences.len();
    differences.truncate(5);
    Err(format!(
        "{what} differs in {count} of {} records: {}",
        expected.len(),
        differences.join("; ")
    ))
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(600).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

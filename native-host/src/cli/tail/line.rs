//! One event's line.

use std::{collections::BTreeMap, fmt::Write as _, io::Write};

use protocol::event::{Event, Op, Writer};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    cli::CliError,
    journal::read::{Entry, Reader, SinkSummary},
    output::{self, line},
    sinks,
};

/// How much of a key a line shows.
const KEY_LENGTH: usize = 60;

/// When an event passed its stages, in milliseconds since the epoch.
pub(super) struct Stages<'s> {
    journal: Option<i64>,
    sinks: Vec<(&'s SinkSummary, Option<i64>)>,
    notes: BTreeMap<&'s str, String>,
}

/// The JSON of a line.
#[derive(Serialize)]
struct Line<'a> {
    event: &'a RawValue,
    stages: Milliseconds,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    notes: &'a BTreeMap<&'a str, String>,
}

/// Since the page saw the commit.
#[derive(Serialize)]
struct Milliseconds {
    captured: i64,
    journal: Option<i64>,
    redis: Option<i64>,
    memcached: Option<i64>,
}

impl<'s> Stages<'s> {
    pub(super) fn of(reader: &Reader, entry: &Entry, sinks: &'s [SinkSummary]) -> Result<Self, CliError> {
        let mut stages = Self {
            journal: reader.passed_at("journal", entry.number)?,
            sinks: Vec::with_capacity(sinks.len()),
            notes: BTreeMap::new(),
        };
        for sink in sinks {
            let passed = if sink.number >= entry.number {
                reader.passed_at(&sink.name, entry.number)?
            } else {
                None
            };
            stages.sinks.push((sink, passed));
            if let Some(note) = reader.notice(&sink.name, entry.number)? {
                stages.notes.insert(&sink.name, note);
            }
        }
        Ok(stages)
    }

    fn passed(&self, name: &str) -> Option<i64> {
        self.sinks
            .iter()
            .find(|(sink, _)| sink.name == name)
            .and_then(|(_, at)| *at)
    }

    pub(super) fn write_json(&self, entry: &Entry, out: &mut impl Write) -> Result<(), CliError> {
        let event: Event<'_> = parse(entry)?;
        // A page's clock may be coarser than ours; nothing passes a stage before it happens.
        let after = |at: i64| at.saturating_sub(event.ts_ms).max(0);
        let line = Line {
            event: serde_json::from_str(&entry.event).map_err(std::io::Error::from)?,
            stages: Milliseconds {
                captured: 0,
                journal: self.journal.map(after),
                redis: self.passed(sinks::REDIS).map(after),
                memcached: self.passed(sinks::MEMCACHED).map(after),
            },
            notes: &self.notes,
        };
        Ok(output::json(out, &line)?)
    }

    pub(super) fn write_text(
        &self,
        reader: &Reader,
        entry: &Entry,
        out: &mut impl Write,
    ) -> Result<(), CliError> {
        let event: Event<'_> = parse(entry)?;
        let source = &event.source;
        let writer = source.writer.as_ref();
        let writer = writer.map_or_else(String::new, |Writer { kind, url }| {
            format!(" by {} {url}", kind.title())
        });
        let mut text = format!(
            "{}  {} › {} › {}  {}{}{writer}  {}",
            reader.local_time(event.ts_ms)?,
            source.origin,
            source.database,
            source.store,
            word(event.op),
            if source.late { " (late)" } else { "" },
            what(&event)
        );
        let stage = |name: &str, at: i64| format!("  {name} +{} ms", at.saturating_sub(event.ts_ms).max(0));
        if let Some(at) = self.journal {
            text.push_str(&stage("journal", at));
        }
        for (sink, at) in &self.sinks {
            if let Some(at) = at {
                text.push_str(&stage(&sink.name, *at));
            }
        }
        for (sink, _) in self.sinks.iter().filter(|(_, at)| at.is_none()) {
            let _infallible = write!(text, "  {} waiting ({})", sink.name, sink.state);
        }
        for (stage, note) in &self.notes {
            let _infallible = write!(text, "  [{stage}: {note}]");
        }
        Ok(line!(out, "{text}")?)
    }
}

fn parse(entry: &Entry) -> Result<Event<'_>, CliError> {
    serde_json::from_str(&entry.event).map_err(|error| CliError::Output(error.into()))
}

fn word(op: Op) -> &'static str {
    match op {
        Op::Create => "create",
        Op::Update => "update",
        Op::Delete => "delete",
        Op::Read => "read",
        Op::Truncate => "clear",
        Op::Schema => "schema",
        Op::Gap => "gap",
    }
}

fn what(event: &Event<'_>) -> String {
    if let Some(change) = &event.schema {
        return serde_json::to_string(change).unwrap_or_default();
    }
    if let Some(events) = event.gap {
        return format!("{events} events let go: the journal was full");
    }
    match (event.key, event.range) {
        (Some(key), _) if key.get().chars().count() > KEY_LENGTH => {
            key.get().chars().take(KEY_LENGTH).chain(['…']).collect()
        }
        (Some(key), _) => key.get().to_owned(),
        (None, Some(range)) => format!("range {}", range.get()),
        (None, None) => "the whole store".to_owned(),
    }
}

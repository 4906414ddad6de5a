//! A recording: published events, one JSON object per line (NDJSON), as `idb-relay tail --json`
//! prints them.

use super::{log::EventLog, row::EventRow};

/// The recording of some events.
pub fn to_ndjson<'r>(rows: impl IntoIterator<Item = &'r EventRow>) -> String {
    let mut text = String::new();
    for row in rows {
        text.push_str(&row.text);
        text.push('\n');
    }
    text
}

/// The events of a recording. An error has the number of the line, from 1, and what is wrong with
/// it.
pub fn from_ndjson(text: &str) -> Result<EventLog, (usize, String)> {
    let mut log = EventLog::default();
    for (index, line) in text.lines().enumerate() {
        if !line.trim().is_empty() {
            log.append(line.trim())
                .map_err(|error| (index + 1, error.to_string()))?;
        }
    }
    Ok(log)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::log::tests::event;

    #[test]
    fn recording_is_read_back() {
        let text = format!(
            "{}\n{}\n",
            event(1, "c", "1", "{\"a\":1}"),
            event(2, "d", "\"\\ud800\"", "null")
        );
        let log = from_ndjson(&text).expect("events");
        assert_eq!(log.places().len(), 2);
        assert_eq!(to_ndjson(log.rows().map(|(_, row)| row)), text);
        assert!(from_ndjson("").expect("none").places().is_empty());
    }

    #[test]
    fn unreadable_line_is_named() {
        let text = format!("{}\n\n{{}}\n", event(1, "c", "1", "1"));
        assert_eq!(from_ndjson(&text).expect_err("no event").0, 3);
    }
}

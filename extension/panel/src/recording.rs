//! A recording: the published events as they are, one JSON object a line (NDJSON), as `redis-cli` or `idb-relay tail --json` users know them.

use crate::model::Row;

/// The recording of some rows.
pub fn write<'r>(rows: impl IntoIterator<Item = &'r Row>) -> String {
    let mut text = String::new();
    for row in rows {
        text.push_str(&row.text);
        text.push('\n');
    }
    text
}

/// The rows of a recording; for a line that is no event, its number (from 1) and why not.
pub fn read(text: &str) -> Result<Vec<Row>, (usize, String)> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| Row::parse(line).map_err(|error| (index + 1, error.to_string())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::event;

    #[test]
    fn what_was_written_is_read_again() {
        let text = format!(
            "{}\n{}\n",
            event(1, "c", "1", "{\"a\":1}"),
            event(2, "d", "\"\\ud800\"", "null")
        );
        let rows = read(&text).expect("events");
        assert_eq!(rows.len(), 2);
        assert_eq!(write(&rows), text);
        assert_eq!(read("").expect("none"), []);
    }

    #[test]
    fn a_line_that_is_no_event_is_named() {
        let text = format!("{}\n\n{{}}\n", event(1, "c", "1", "1"));
        assert_eq!(read(&text).expect_err("no event").0, 3);
    }
}

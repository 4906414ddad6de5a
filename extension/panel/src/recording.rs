//! A recording: the published events as they are, one JSON object a line (NDJSON), as `redis-cli` or `idb-relay tail --json` users know them.

use crate::model::{Model, Row};

/// The recording of some rows.
pub fn write<'r>(rows: impl IntoIterator<Item = &'r Row>) -> String {
    let mut text = String::new();
    for row in rows {
        text.push_str(&row.text);
        text.push('\n');
    }
    text
}

/// The events of a recording; for the first line that is none, its number (from 1) and why not.
pub fn read(text: &str) -> Result<Model, (usize, String)> {
    let mut model = Model::default();
    for (index, line) in text.lines().enumerate() {
        if !line.trim().is_empty() {
            model
                .read(line.trim())
                .map_err(|error| (index + 1, error.to_string()))?;
        }
    }
    Ok(model)
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
        let model = read(&text).expect("events");
        assert_eq!(model.places().len(), 2);
        assert_eq!(write(model.rows().map(|(_, row)| row)), text);
        assert!(read("").expect("none").places().is_empty());
    }

    #[test]
    fn a_line_that_is_no_event_is_named() {
        let text = format!("{}\n\n{{}}\n", event(1, "c", "1", "1"));
        assert_eq!(read(&text).expect_err("no event").0, 3);
    }
}

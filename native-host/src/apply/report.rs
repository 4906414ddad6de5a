//! What a process of `apply` prints: lines for a person, or one JSON object a line. All but the
//! line of each record is logged, too.

use std::{
    fmt,
    io::{self, Write},
    time::Instant,
};

use serde_json::{Value, json};

use crate::{
    output::{self, line},
    time::now_ms,
    timing,
};

/// Where it is said.
pub struct Report<W> {
    out: W,
    json: bool,
    /// What was said last of how it goes, so that it is said once.
    state: String,
    progress: Instant,
}

impl<W: Write> Report<W> {
    /// Says it there, in this form.
    pub fn new(out: W, json: bool) -> Self {
        Self {
            out,
            json,
            state: String::new(),
            progress: Instant::now(),
        }
    }

    /// Says something once: for JSON under this name with these details. For a person it is one
    /// line, also with foreign text in it, and another one for what fixes it, if the details
    /// tell that.
    pub fn print(&mut self, name: &str, text: impl fmt::Display, details: Value) -> io::Result<()> {
        log(name, &details);
        let fix = details.get("fix").and_then(Value::as_str).map(str::to_owned);
        if self.json {
            let mut line = serde_json::Map::new();
            line.insert(name.to_owned(), details);
            line.insert("ts_ms".to_owned(), now_ms().into());
            output::json(&mut self.out, &Value::Object(line))?;
        } else {
            line!(&mut self.out, "{text}")?;
            if let Some(fix) = fix {
                line!(&mut self.out, "   fix: {fix}")?;
            }
        }
        self.out.flush()
    }

    /// Says how it goes, if that has changed.
    pub fn state(&mut self, state: &str, text: impl fmt::Display) -> io::Result<()> {
        let text = text.to_string();
        let key = format!("{state} {text}");
        if self.state == key {
            return Ok(());
        }
        self.state = key;
        self.print("state", &text, json!({"state": state, "text": text}))
    }

    /// Says what is wrong, if it was not said last.
    pub fn trouble(&mut self, state: &str, error: &str, fix: &str) -> io::Result<()> {
        let key = format!("{state} {error}");
        if self.state == key {
            return Ok(());
        }
        self.state = key;
        self.print(
            "trouble",
            format_args!("trouble: {error}"),
            json!({"state": state, "error": error, "fix": fix}),
        )?;
        if !self.json {
            line!(&mut self.out, "   trying again")?;
        }
        self.out.flush()
    }

    /// Says how far something long has come, now and then; `of` is its length, `None` if that is
    /// unknown.
    pub fn progress(&mut self, what: &str, done: usize, of: Option<usize>) -> io::Result<()> {
        if self.progress.elapsed() < timing::apply::PROGRESS {
            return Ok(());
        }
        self.progress = Instant::now();
        // What is written to meanwhile grows.
        let of = of.map(|of| of.max(done));
        let all = of.map_or(String::new(), |of| format!(" of {of}"));
        self.print(
            "progress",
            format_args!("{what}: {done}{all} events"),
            json!({"what": what, "done": done, "of": of}),
        )
    }

    /// Says what was done about a record; only who reads JSON wants to know it of each.
    pub fn applied(&mut self, key: &str, held: bool, refused: Option<&str>) -> io::Result<()> {
        if !self.json {
            return match refused {
                Some(refused) => line!(&mut self.out, "deleted {key}: {refused}"),
                None => Ok(()),
            };
        }
        let mut details = json!({"key": key, "op": if held { "set" } else { "delete" }});
        if let Some(refused) = refused {
            details["refused"] = refused.into();
        }
        output::json(&mut self.out, &json!({"applied": details, "ts_ms": now_ms()}))
    }

    /// Says that events never came.
    pub fn gap(&mut self, profile: &str, first: u64, last: u64, fix: &str) -> io::Result<()> {
        let count = last.saturating_sub(first).saturating_add(1);
        self.print(
            "gap",
            format_args!(
                "gap: {count} events of profile {profile} never came ({first} to {last}); what they changed may be \
                 stale in Memcached"
            ),
            json!({"profile": profile, "first": first, "last": last, "events": count, "fix": fix}),
        )
    }

    /// Lets readers see what was said.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The line of the log for what is said: its details hold all that its text does.
fn log(name: &str, details: &Value) {
    match name {
        "state" | "filled" => tracing::info!(%details, "{name}"),
        "progress" => tracing::debug!(%details, "{name}"),
        // Something is wrong, or missing for good.
        _ => tracing::warn!(%details, "{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_ends_no_line() {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out, false);
        let forged = "a\nERROR: b";
        report.state("standing_by", forged).expect("written");
        report.trouble("c", forged, forged).expect("written");
        report.gap(forged, 1, 2, forged).expect("written");
        report.applied(forged, false, Some(forged)).expect("written");
        let out = String::from_utf8(out).expect("UTF-8");
        assert!(!out.contains("\nERROR"), "{out}");
        assert_eq!(out.lines().count(), 7, "{out}");
    }
}

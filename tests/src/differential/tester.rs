//! Runs programs in both pages and compares: traces with traces, and the captured events with what
//! the databases hold.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use protocol::event::Event;
use redis::Commands as _;
use serde_json::Value;

use super::{
    generate, replay,
    shrink::shrink,
    trace::{Content, Trace},
};
use crate::{
    browser::Page,
    wait::{self, Seen},
};

/// How long captured events may take to arrive before they count as missed.
const ARRIVAL: Duration = Duration::from_secs(60);

/// How long a failing program is made smaller.
const SHRINKING: Duration = Duration::from_secs(120);

/// How many programs run between two comparisons.
const BATCH: usize = 10;

/// What a run of programs found.
#[derive(Debug, Default, Clone, Copy)]
pub struct Report {
    /// Programs that ran.
    pub programs: usize,
    /// Programs of which the page without the extension gave different traces in two runs: they
    /// prove nothing.
    pub unstable: usize,
    /// Programs in which the engine got stuck in both pages alike: what they hold in the end can't
    /// be read.
    pub stuck: usize,
    /// Events that were captured and replayed.
    pub events: usize,
    /// Databases of which records had to be read again, because capture could not know them without
    /// running page code twice.
    pub read: usize,
}

/// A page without the extension, one with it, and the feed of what is captured in the latter.
pub struct Tester<'a> {
    bare: Page<'a>,
    hooked: Page<'a>,
    feed: redis::Connection,
    stream: String,
    /// The stream's id up to which events are in the model.
    position: String,
    model: replay::Model,
    report: Report,
    /// Makes the names of shrunk programs new each time.
    attempts: usize,
}

impl<'a> Tester<'a> {
    /// Both pages must have `tests/sites/differential/` open, and capture must be on in the second.
    /// What the stream holds already is passed over.
    pub fn new(bare: Page<'a>, hooked: Page<'a>, mut feed: redis::Connection, stream: &str) -> Result<Self> {
        let last: redis::streams::StreamRangeReply = feed.xrevrange_count(stream, "+", "-", 1)?;
        let position = last
            .ids
            .into_iter()
            .next()
            .map_or_else(|| "0".to_owned(), |entry| entry.id);
        Ok(Self {
            bare,
            hooked,
            feed,
            stream: stream.to_owned(),
            position,
            model: replay::Model::default(),
            report: Report::default(),
            attempts: 0,
        })
    }

    /// Runs the programs of `count` seeds from `first` on. An error names the seed and prints the
    /// shrunk program.
    pub fn run(&mut self, first: u64, count: u64) -> Result<Report> {
        let programs: Vec<Value> = (first..first + count).map(generate::program).collect();
        for batch in programs.chunks(BATCH) {
            let bare = traces(&self.bare, batch)?;
            let hooked = traces(&self.hooked, batch)?;
            for ((program, bare), hooked) in batch.iter().zip(&bare).zip(&hooked) {
                self.report.programs += 1;
                let verdict = match bare.difference(hooked) {
                    Some(difference) => Some(difference),
                    None if hooked.stuck => {
                        self.report.stuck += 1;
                        None
                    }
                    None => self.missed(program, hooked, ARRIVAL)?,
                };
                if let Some(difference) = verdict {
                    let traces_differ = bare.difference(hooked).is_some();
                    self.judge(program, bare, &difference, traces_differ)?;
                }
            }
            forget(&self.bare, batch)?;
            forget(&self.hooked, batch)?;
        }
        self.report.read = self.model.read.len();
        Ok(self.report)
    }

    /// A difference counts unless the page without the extension differs from itself, or the page
    /// with it does and is the same as the one without now and then: engines race with themselves
    /// about the order of events of several transactions. What was missed or invented counts in any
    /// case.
    fn judge(&mut self, program: &Value, bare: &Trace, difference: &str, traces_differ: bool) -> Result<()> {
        let batch = std::slice::from_ref(program);
        for _ in 0..if traces_differ { 4 } else { 0 } {
            forget(&self.bare, batch)?;
            forget(&self.hooked, batch)?;
            let again = traces(&self.bare, batch)?;
            let hooked = traces(&self.hooked, batch)?;
            if again[0].difference(bare).is_some() || again[0].difference(&hooked[0]).is_none() {
                self.report.unstable += 1;
                return Ok(());
            }
        }
        // Making it small takes its time; who waits should know for what.
        eprintln!("seed {} differs: {difference}", program["seed"]);
        let mut last = difference.to_owned();
        let deadline = Instant::now() + SHRINKING;
        let small = shrink(program, |candidate| {
            if Instant::now() > deadline {
                return false;
            }
            // A candidate that cannot run is not a smaller version of the failure.
            let difference = self.differs(candidate).ok().flatten();
            last = difference.clone().unwrap_or(std::mem::take(&mut last));
            difference.is_some()
        });
        anyhow::bail!(
            "seed {}: {last}\nthe smallest program that shows it:\n{}",
            program["seed"],
            serde_json::to_string_pretty(&small)?
        )
    }

    /// Runs a candidate under a name of its own in both pages.
    fn differs(&mut self, candidate: &Value) -> Result<Option<String>> {
        self.attempts += 1;
        let mut program = candidate.clone();
        program["name"] = format!("shrink{}", self.attempts).into();
        let batch = std::slice::from_ref(&program);
        let bare = traces(&self.bare, batch)?;
        let hooked = traces(&self.hooked, batch)?;
        let verdict = match bare[0].difference(&hooked[0]) {
            Some(difference) => Some(difference),
            // Shorter than for the verdict: nearly every candidate that still fails takes all of
            // it.
            None if hooked[0].stuck => None,
            None => self.missed(&program, &hooked[0], ARRIVAL / 10)?,
        };
        forget(&self.bare, batch)?;
        forget(&self.hooked, batch)?;
        Ok(verdict)
    }

    /// What the captured events lack or have too much, once all have had time to arrive.
    fn missed(&mut self, program: &Value, trace: &Trace, patience: Duration) -> Result<Option<String>> {
        let prefix = format!("{}-", program["name"].as_str().context("a program has a name")?);
        let expected = replay::of_programs(&trace.content, &prefix);
        let arrived = wait::until(
            "the captured events to give what the databases hold",
            patience,
            || {
                self.receive()?;
                let mut captured = self.described(&self.model.content(&prefix))?;
                // The deletion of a database is reported for its stores with records.
                for (name, stores) in &mut captured {
                    let there = expected.get(name);
                    stores.retain(|store, records| {
                        !records.is_empty() || there.is_some_and(|stores| stores.contains_key(store))
                    });
                }
                captured.retain(|_, stores| !stores.is_empty());
                Ok(if captured == expected {
                    Seen::Ready(())
                } else {
                    Seen::Not(format!("captured {captured:?}\nthe databases hold {expected:?}"))
                })
            },
        );
        Ok(arrived.err().map(|error| error.to_string()))
    }

    /// Takes in what the stream has got since the last time.
    fn receive(&mut self) -> Result<()> {
        let entries: redis::streams::StreamRangeReply =
            self.feed
                .xrange(&self.stream, format!("({}", self.position), "+")?;
        for entry in entries.ids {
            let text: String = entry.get("event").context("a stream entry without an event")?;
            let event: Event<'_> =
                serde_json::from_str(&text).with_context(|| format!("not an event: {text}"))?;
            self.position = entry.id;
            self.report.events += 1;
            self.model.apply(&event)?;
        }
        Ok(())
    }

    fn described(&self, content: &Content) -> Result<Content> {
        if content.is_empty() {
            return Ok(Content::new());
        }
        let described = self
            .bare
            .evaluate(&format!("describeTyped({})", serde_json::to_string(content)?))?;
        Ok(serde_json::from_value(described)?)
    }
}

fn traces(page: &Page<'_>, programs: &[Value]) -> Result<Vec<Trace>> {
    let returned = page.evaluate(&format!("runPrograms({})", serde_json::to_string(programs)?))?;
    serde_json::from_value(returned).context("the interpreter returned something else than traces")
}

fn forget(page: &Page<'_>, programs: &[Value]) -> Result<()> {
    page.evaluate(&format!("forgetPrograms({})", serde_json::to_string(programs)?))?;
    Ok(())
}

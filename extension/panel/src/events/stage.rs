//! The status of an event at each stage, as a word and as a sentence.

use protocol::wire::inspector::{Health, Sink};

use super::row::{EventRow, STAGES};
use crate::format;

/// The status of an event at a stage. The style sheet knows it by [`StageStatus::name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageStatus {
    Passed,
    /// It passed, and the stage reported a problem with it.
    Noticed,
    /// It has not arrived yet.
    Waiting,
    /// The stage failed and tries again.
    Retrying,
    /// The stage is switched off.
    Off,
    /// The event is of a recording, which does not hold the progress.
    Unknown,
}

impl StageStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Noticed => "noticed",
            Self::Waiting => "waiting",
            Self::Retrying => "retrying",
            Self::Off => "off",
            Self::Unknown => "unknown",
        }
    }
}

/// The progress of an event at one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageProgress {
    /// One of [`STAGES`].
    pub stage: &'static str,
    pub status: StageStatus,
    /// Milliseconds since the commit.
    pub lag: Option<i64>,
    /// The number of failed attempts while the stage is retrying.
    pub attempts: u64,
}

/// The progress at each stage. `is_live`: the event is of the host's feed, not of a recording.
pub fn stage_progress(
    row: &EventRow,
    health: Option<&Health>,
    is_live: bool,
) -> [StageProgress; STAGES.len()] {
    std::array::from_fn(|stage| {
        let name = STAGES[stage];
        let lag = row.lag(stage);
        let status = if row.notice(stage).is_some() {
            StageStatus::Noticed
        } else if lag.is_some() {
            StageStatus::Passed
        } else if !is_live {
            StageStatus::Unknown
        } else {
            match health.map(|health| find_sink(health, name)) {
                Some(Some(sink)) if !sink.enabled => StageStatus::Off,
                Some(None) if stage > 0 => StageStatus::Off,
                Some(Some(sink)) if sink.error.is_some() => StageStatus::Retrying,
                _ => StageStatus::Waiting,
            }
        };
        let attempts = match health.and_then(|health| find_sink(health, name)) {
            Some(sink) if status == StageStatus::Retrying => sink.attempts,
            _ => 0,
        };
        StageProgress {
            stage: name,
            status,
            lag,
            attempts,
        }
    })
}

fn find_sink<'h>(health: &'h Health, name: &str) -> Option<&'h Sink> {
    health.sinks.iter().find(|sink| sink.name == name)
}

/// The progress in a sentence: the delay, or why the event has not arrived yet.
pub fn describe_stage(
    row: &EventRow,
    stage: usize,
    progress: &StageProgress,
    health: Option<&Health>,
) -> String {
    match progress.status {
        StageStatus::Passed => format!(
            "{} after the commit",
            format::duration(progress.lag.unwrap_or_default())
        ),
        StageStatus::Noticed => row.notice(stage).unwrap_or_default().to_owned(),
        StageStatus::Waiting => "in transit".to_owned(),
        StageStatus::Off => "switched off in the host's configuration".to_owned(),
        StageStatus::Unknown => "not part of a recording".to_owned(),
        StageStatus::Retrying => {
            let sink = health.and_then(|health| find_sink(health, progress.stage));
            sink.map_or_else(String::new, |sink| {
                let attempts = match sink.attempts {
                    0 => "retrying".to_owned(),
                    attempts => format!(
                        "retrying after {}",
                        format::count_noun(attempts, "failed attempt")
                    ),
                };
                let sentences = [sink.error.as_deref(), sink.fix.as_deref()];
                let sentences: Vec<_> = sentences.into_iter().flatten().map(end_with_period).collect();
                format!("{attempts}: {}. {}", sink.state, sentences.join(" "))
            })
        }
    }
}

/// A sentence that another one can follow.
fn end_with_period(sentence: &str) -> String {
    if sentence.ends_with(['.', '!', '?']) {
        sentence.to_owned()
    } else {
        format!("{sentence}.")
    }
}

/// The progress at all stages in one sentence, for screen readers.
pub fn describe_delivery(row: &EventRow, stages: &[StageProgress], health: Option<&Health>) -> String {
    let mut text = "captured".to_owned();
    for (stage, progress) in stages.iter().enumerate() {
        text.push_str("; ");
        text.push_str(progress.stage);
        text.push_str(": ");
        text.push_str(&describe_stage(row, stage, progress, health));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{
        StageStatus::{Noticed, Off, Passed, Retrying, Unknown, Waiting},
        *,
    };
    use crate::events::log::{EventLog, tests::event};
    use protocol::wire::inspector::{Feed, Notice, Passage};

    #[test]
    fn each_stage_has_its_status() {
        let mut log = EventLog::default();
        log.append(&event(1, "c", "1", "1")).expect("an event");
        let passage = |stage: &str, at| Passage {
            stage: stage.to_owned(),
            last: 1,
            at,
        };
        log.apply_feed(&Feed {
            head: 1,
            passages: vec![passage("journal", 1003)],
            ..Feed::default()
        });
        let sink = |name: &str, enabled, error: Option<&str>| Sink {
            name: name.to_owned(),
            enabled,
            state: "unreachable".to_owned(),
            error: error.map(str::to_owned),
            fix: error.map(|_| "Start it.".to_owned()),
            attempts: 3,
            ..Sink::default()
        };
        let health = Health {
            sinks: vec![
                sink("redis", true, Some("redis cannot be reached")),
                sink("memcached", false, None),
            ],
            ..Health::default()
        };
        let row = log.row(0).expect("a row").clone();
        let of = |health| stage_progress(&row, health, true).map(|progress| progress.status);
        assert_eq!(of(None), [Passed, Waiting, Waiting]);
        assert_eq!(of(Some(&health)), [Passed, Retrying, Off]);
        assert_eq!(
            stage_progress(&row, Some(&health), false).map(|progress| progress.status),
            [Passed, Unknown, Unknown]
        );
        let stages = stage_progress(&row, Some(&health), true);
        let delivery = describe_delivery(&row, &stages, Some(&health));
        assert!(delivery.contains("journal: 3 ms after the commit"), "{delivery}");
        assert!(
            delivery.contains(
                "redis: retrying after 3 failed attempts: unreachable. redis cannot be reached. Start it."
            ),
            "{delivery}"
        );
        assert_eq!(stages.map(|progress| progress.attempts), [0, 3, 0]);
        log.apply_feed(&Feed {
            head: 1,
            notices: vec![Notice {
                stage: "memcached".to_owned(),
                number: 1,
                text: "too large".to_owned(),
            }],
            ..Feed::default()
        });
        let row = log.row(0).expect("a row");
        assert_eq!(stage_progress(row, Some(&health), true)[2].status, Noticed);
    }
}

//! How far an event has come, stage by stage, in one word and in a sentence.

use protocol::inspect::{Health, Sink};

use crate::{
    model::{Row, STAGES},
    words,
};

/// How an event stands with a stage. Styles hang on [`Standing::word`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has passed.
    Passed,
    /// It passed, and the stage has something to say about it.
    Noticed,
    /// It is on its way.
    Waiting,
    /// The stage is in trouble and tries again.
    Retrying,
    /// The stage is switched off.
    Off,
    /// Nobody knows: it comes from a recording, or from before the panel looked.
    Unknown,
}

impl Standing {
    /// The word.
    pub fn word(self) -> &'static str {
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

/// A stage of an event's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// How the event stands with it.
    pub standing: Standing,
    /// Milliseconds since the commit.
    pub lag: Option<i64>,
    /// How often the stage has tried in vain, while it is in trouble.
    pub attempts: u64,
}

/// The stages behind the page. `live`: the event comes from the host, not from a recording.
pub fn steps(row: &Row, health: Option<&Health>, live: bool) -> [Step; STAGES.len()] {
    std::array::from_fn(|stage| {
        let name = STAGES[stage];
        let lag = row.lag(stage);
        let standing = if row.notice(stage).is_some() {
            Standing::Noticed
        } else if lag.is_some() {
            Standing::Passed
        } else if !live {
            Standing::Unknown
        } else {
            match health.map(|health| sink(health, name)) {
                Some(Some(sink)) if !sink.enabled => Standing::Off,
                Some(None) if stage > 0 => Standing::Off,
                Some(Some(sink)) if sink.error.is_some() => Standing::Retrying,
                _ => Standing::Waiting,
            }
        };
        let attempts = match health.and_then(|health| sink(health, name)) {
            Some(sink) if standing == Standing::Retrying => sink.attempts,
            _ => 0,
        };
        Step {
            name,
            standing,
            lag,
            attempts,
        }
    })
}

/// The sink of this name.
pub fn sink<'h>(health: &'h Health, name: &str) -> Option<&'h Sink> {
    health.sinks.iter().find(|sink| sink.name == name)
}

/// What a stage says in a sentence: how late it was, or why it is not there yet.
pub fn sentence(row: &Row, stage: usize, step: &Step, health: Option<&Health>) -> String {
    match step.standing {
        Standing::Passed => format!(
            "{} after the commit",
            words::duration(step.lag.unwrap_or_default())
        ),
        Standing::Noticed => row.notice(stage).unwrap_or_default().to_owned(),
        Standing::Waiting => "on its way".to_owned(),
        Standing::Off => "switched off in the host's configuration".to_owned(),
        Standing::Unknown => "not part of a recording".to_owned(),
        Standing::Retrying => {
            let sink = health.and_then(|health| sink(health, step.name));
            sink.map_or_else(String::new, |sink| {
                let times = match sink.attempts {
                    0 => "tried again and again".to_owned(),
                    1 => "tried once, and is tried again".to_owned(),
                    attempts => format!(
                        "tried {}, and is tried again",
                        words::counted(size(attempts), "time")
                    ),
                };
                let sentences = [sink.error.as_deref(), sink.cure.as_deref()];
                let sentences: Vec<_> = sentences.into_iter().flatten().map(stopped).collect();
                format!("{times}: {}. {}", sink.state, sentences.join(" "))
            })
        }
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A sentence as one that others follow.
fn stopped(sentence: &str) -> String {
    if sentence.ends_with(['.', '!', '?']) {
        sentence.to_owned()
    } else {
        format!("{sentence}.")
    }
}

/// The whole way in one sentence, for those who don't see the strip.
pub fn way(row: &Row, steps: &[Step], health: Option<&Health>) -> String {
    let mut text = "captured".to_owned();
    for (stage, step) in steps.iter().enumerate() {
        text.push_str("; ");
        text.push_str(step.name);
        text.push_str(": ");
        text.push_str(&sentence(row, stage, step, health));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{
        Standing::{Noticed, Off, Passed, Retrying, Unknown, Waiting},
        *,
    };
    use crate::model::{Model, tests::event};
    use protocol::inspect::{Feed, Notice, Passage};

    #[test]
    fn each_stage_says_how_it_stands() {
        let mut model = Model::default();
        model.read(&event(1, "c", "1", "1")).expect("an event");
        let passage = |stage: &str, at| Passage {
            stage: stage.to_owned(),
            last: 1,
            at,
        };
        model.take(&Feed {
            head: 1,
            passages: vec![passage("journal", 1003)],
            ..Feed::default()
        });
        let sink = |name: &str, enabled, error: Option<&str>| Sink {
            name: name.to_owned(),
            enabled,
            state: "unreachable".to_owned(),
            error: error.map(str::to_owned),
            cure: error.map(|_| "Start it.".to_owned()),
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
        let row = model.row(0).expect("there").clone();
        let of = |health| steps(&row, health, true).map(|step| step.standing);
        assert_eq!(of(None), [Passed, Waiting, Waiting]);
        assert_eq!(of(Some(&health)), [Passed, Retrying, Off]);
        assert_eq!(
            steps(&row, Some(&health), false).map(|step| step.standing),
            [Passed, Unknown, Unknown]
        );
        let way = way(&row, &steps(&row, Some(&health), true), Some(&health));
        assert!(way.contains("journal: 3 ms after the commit"), "{way}");
        assert!(
            way.contains(
                "redis: tried 3 times, and is tried again: unreachable. redis cannot be reached. Start it."
            ),
            "{way}"
        );
        assert_eq!(
            steps(&row, Some(&health), true).map(|step| step.attempts),
            [0, 3, 0]
        );
        model.take(&Feed {
            head: 1,
            notices: vec![Notice {
                stage: "memcached".to_owned(),
                number: 1,
                text: "too large".to_owned(),
            }],
            ..Feed::default()
        });
        let row = model.row(0).expect("there");
        assert_eq!(steps(row, Some(&health), true)[2].standing, Noticed);
    }
}

//! Tests that run again and again: how often, with how much work, and what failed on the way.
//!
//! A turn that fails ends nothing: the next ones tell whether it fails each time. The results of
//! each turn stay in a file of their own.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::Size;
use crate::report;

/// How long a turn of `--long` takes, about: how much work the first one gets.
const LONG_TURN: Duration = Duration::from_secs(20 * 60);

/// A last turn with less than this share of the work is left out.
const LEAST_SHARE: f64 = 0.1;

/// When it is over.
#[derive(Debug, Clone, Copy)]
enum Goal {
    Count(u32),
    Time(Duration),
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Turns {
    goal: Goal,
    began: Instant,
    /// How long each took.
    took: Vec<Duration>,
    /// How long one with all of the work takes, by the last one.
    whole: Duration,
    /// When the turn that runs began, and its share of the work.
    turn: (Instant, f64),
    /// In how many turns each of these tests failed.
    failed: BTreeMap<String, u32>,
    /// Where the results of each are kept.
    kept: PathBuf,
}

impl Turns {
    /// As many as this size has. Results of earlier ones go.
    pub(super) fn of(size: &Size, kept: PathBuf) -> Self {
        let goal = match size {
            Size::Quick | Size::Everyday => Goal::Count(1),
            Size::Rounds(count) => Goal::Count(*count),
            Size::Long(time) => Goal::Time(*time),
        };
        let _not_there = fs::remove_dir_all(&kept);
        Self {
            goal,
            began: Instant::now(),
            took: Vec::new(),
            whole: LONG_TURN,
            turn: (Instant::now(), 1.0),
            failed: BTreeMap::new(),
            kept,
        }
    }

    /// Whether the results of one say nothing of the next.
    pub(super) fn are_several(&self) -> bool {
        !matches!(self.goal, Goal::Count(1))
    }

    pub(super) fn is_first(&self) -> bool {
        self.took.is_empty()
    }

    /// Begins a turn: which share of the work it has; `None` if all is over.
    pub(super) fn begin(&mut self) -> Option<f64> {
        let share = match self.goal {
            Goal::Count(count) if self.took.len() < count as usize => Some(1.0),
            Goal::Count(_) => None,
            Goal::Time(time) => {
                let left = time.saturating_sub(self.began.elapsed());
                let share = (left.as_secs_f64() / self.whole.as_secs_f64().max(1.0)).min(1.0);
                (self.is_first() || share >= LEAST_SHARE).then(|| share.max(LEAST_SHARE))
            }
        };
        self.turn = (Instant::now(), share?);
        share
    }

    /// Ends the turn, of which these are the results.
    pub(super) fn end(&mut self, tested: Result<()>, results: &Path) -> Result<()> {
        let (began, share) = self.turn;
        self.took.push(began.elapsed());
        self.whole = began.elapsed().div_f64(share);
        if !self.are_several() {
            return tested;
        }
        fs::create_dir_all(&self.kept).with_context(|| format!("cannot make {}", self.kept.display()))?;
        let kept = self.kept.join(format!("{}.xml", self.took.len()));
        let copied = fs::copy(results, &kept);
        let failed = report::names_of_failed(results);
        if let Err(error) = tested
            && (failed.is_empty() || copied.is_err())
        {
            return Err(error);
        }
        for name in failed {
            *self.failed.entry(name).or_default() += 1;
        }
        eprintln!("{self}");
        Ok(())
    }

    /// What came of all of them.
    pub(super) fn finish(self) -> Result<()> {
        if self.failed.is_empty() {
            return Ok(());
        }
        let lines = self.failed.iter();
        let lines = lines.map(|(name, count)| format!("\n  {name}: {count} of {}", self.took.len()));
        bail!(
            "tests failed in some turns, their output is in {}:{}",
            self.kept.display(),
            lines.collect::<String>()
        )
    }
}

/// How far it is.
impl fmt::Display for Turns {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.took.len();
        let seconds = self.took.last().map_or(0, Duration::as_secs);
        let left = match self.goal {
            Goal::Count(count) => self.whole * count.saturating_sub(u32::try_from(done).unwrap_or(count)),
            Goal::Time(time) => time.saturating_sub(self.began.elapsed()),
        };
        write!(to, "Turn {done}")?;
        if let Goal::Count(count) = self.goal {
            write!(to, " of {count}")?;
        }
        write!(
            to,
            " took {seconds} s, {} tests have failed so far, about {} minutes left",
            self.failed.len(),
            left.as_secs().div_ceil(60)
        )
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    const FAILED: &str = r#"<testcase name="a::b" classname="c" time="1"><failure type="test failure">no</failure></testcase>"#;

    #[test]
    fn turns_go_on_after_failure_and_count_it() {
        let directory = tempfile::tempdir().unwrap();
        let results = directory.path().join("junit.xml");
        let mut turns = Turns::of(&Size::Rounds(3), directory.path().join("turns"));
        for (text, tested) in [
            (FAILED, Err(anyhow!("failed"))),
            ("", Ok(())),
            (FAILED, Err(anyhow!("failed"))),
        ] {
            assert_eq!(turns.begin(), Some(1.0));
            fs::write(&results, text).unwrap();
            turns.end(tested, &results).unwrap();
        }
        assert_eq!(turns.begin(), None);
        assert!(
            turns
                .to_string()
                .starts_with("Turn 3 of 3 took 0 s, 1 tests have failed")
        );
        assert_eq!(
            fs::read_to_string(directory.path().join("turns/3.xml")).unwrap(),
            FAILED
        );
        let error = turns.finish().unwrap_err().to_string();
        assert!(error.ends_with("\n  c a::b: 2 of 3"), "{error}");
    }

    #[test]
    fn turn_that_never_began_to_test_ends_all() {
        let directory = tempfile::tempdir().unwrap();
        let mut turns = Turns::of(&Size::Rounds(3), directory.path().join("turns"));
        turns.begin();
        let error = turns.end(Err(anyhow!("no compiler")), &directory.path().join("junit.xml"));
        assert_eq!(error.unwrap_err().to_string(), "no compiler");
    }

    #[test]
    fn work_of_turn_fits_into_time() {
        let directory = tempfile::tempdir().unwrap();
        let share = |time| Turns::of(&Size::Long(time), directory.path().join("turns")).begin();
        assert_eq!(share(LONG_TURN * 5), Some(1.0));
        assert!((share(LONG_TURN / 2).unwrap() - 0.5).abs() < 0.01);
        assert_eq!(share(Duration::ZERO), Some(LEAST_SHARE), "one there is");
    }
}

//! Where the time of the tests went: a table at the end of the command, and the same as JSON, so
//! that two runs can be compared.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// How many of the slowest tests the table lists.
const SLOWEST: usize = 20;

/// How much of what a flaky test wrote the table shows; the JSON has all.
const FAILURE_LINES: usize = 12;

/// A test that ran.
#[derive(Debug, PartialEq)]
struct Test {
    binary: String,
    name: String,
    seconds: f64,
    has_passed: bool,
    /// It failed among the others and passed by itself.
    is_flaky: bool,
    /// What it wrote, if it failed.
    output: String,
}

impl Test {
    /// The file of a test in a binary of tests; unit tests are one module a crate, since they take
    /// no time.
    fn module(&self) -> String {
        let is_unit_test = !self.binary.contains("::") || self.binary.contains("::bin/");
        match self.name.split_once("::") {
            Some((module, _)) if !is_unit_test => format!("{} {module}", self.binary),
            _ => self.binary.clone(),
        }
    }
}

/// What the starts of one browser cost.
#[derive(Debug, Default, PartialEq)]
struct Starts {
    /// How many there were.
    count: u64,
    /// How long all of them together took until the browser could be driven, in seconds.
    seconds: f64,
    /// How many of them were waited for until pages are captured, and how long that took from the
    /// start on.
    ready: u64,
    ready_seconds: f64,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Report {
    steps: Vec<(String, Duration)>,
    total: Duration,
    tests: Vec<Test>,
    starts: BTreeMap<String, Starts>,
}

impl Report {
    /// From the steps of the command, the results that nextest wrote as `JUnit`'s XML, and the
    /// lines that `tests/src/browser/starts.rs` wrote. Of what was not written (the tests did not
    /// run, or no browser was started) the report has nothing.
    pub fn of(steps: Vec<(String, Duration)>, total: Duration, results: &Path, starts: &Path) -> Self {
        Self {
            steps,
            total,
            tests: tests_of(&fs::read_to_string(results).unwrap_or_default()),
            starts: starts_of(&fs::read_to_string(starts).unwrap_or_default()),
        }
    }

    /// Adds what came of the tests that failed and were tried once more, each by itself.
    pub fn add_second_attempts(&mut self, results: &Path) {
        let again = tests_of(&fs::read_to_string(results).unwrap_or_default());
        for test in self.tests.iter_mut().filter(|test| !test.has_passed) {
            let is_it = |again: &&Test| again.binary == test.binary && again.name == test.name;
            test.is_flaky = again.iter().find(is_it).is_some_and(|again| again.has_passed);
        }
    }

    fn flaky(&self) -> impl Iterator<Item = &Test> {
        self.tests.iter().filter(|test| test.is_flaky)
    }

    /// Writes it as JSON.
    pub fn write_json(&self, path: &Path) -> Result<()> {
        let text = format!("{:#}\n", self.to_json());
        fs::write(path, text).with_context(|| format!("cannot write the report to {}", path.display()))
    }

    fn to_json(&self) -> Value {
        let steps = self.steps.iter();
        let starts = self.starts.iter();
        json!({
            "seconds": self.total.as_secs_f64(),
            "steps": steps.map(|(name, took)| json!({"name": name, "seconds": took.as_secs_f64()})).collect::<Vec<_>>(),
            "modules": self.modules().iter().map(|(name, sum)| json!({
                "name": name, "tests": sum.tests, "failed": sum.failed, "seconds": sum.seconds,
            })).collect::<Vec<_>>(),
            "flaky": self.flaky().map(|test| json!({
                "binary": test.binary, "name": test.name, "output": test.output,
            })).collect::<Vec<_>>(),
            "tests": self.tests.iter().map(|test| json!({
                "binary": test.binary, "name": test.name, "seconds": test.seconds, "passed": test.has_passed,
            })).collect::<Vec<_>>(),
            "browsers": starts.map(|(browser, starts)| json!({
                "browser": browser, "starts": starts.count, "seconds": starts.seconds,
                "ready": starts.ready, "ready_seconds": starts.ready_seconds,
            })).collect::<Vec<_>>(),
        })
    }

    /// The modules of tests, those that took longest first.
    fn modules(&self) -> Vec<(String, Sum)> {
        let mut sums: BTreeMap<String, Sum> = BTreeMap::new();
        for test in &self.tests {
            let sum = sums.entry(test.module()).or_default();
            sum.tests += 1;
            sum.failed += u64::from(!test.has_passed);
            sum.seconds += test.seconds;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by(|(_, a), (_, b)| b.seconds.total_cmp(&a.seconds));
        sums
    }
}

/// The tests of one module together.
#[derive(Debug, Default)]
struct Sum {
    tests: u64,
    failed: u64,
    seconds: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for test in self.flaky() {
            writeln!(
                to,
                "FLAKY: {} {} failed once, passed alone: mend its cause. It wrote:",
                test.binary, test.name
            )?;
            let lines = test.output.lines().filter(|line| !line.trim().is_empty());
            for line in lines.take(FAILURE_LINES) {
                writeln!(to, "    {line}")?;
            }
            writeln!(to)?;
        }
        writeln!(to, "Where the time went:")?;
        for (name, took) in &self.steps {
            writeln!(to, "{:>9.1} s  {name}", took.as_secs_f64())?;
        }
        writeln!(to, "{:>9.1} s  in all", self.total.as_secs_f64())?;
        if !self.tests.is_empty() {
            writeln!(to, "\nModules of tests (tests run side by side):")?;
            for (name, sum) in self.modules() {
                let failed = match sum.failed {
                    0 => String::new(),
                    failed => format!(", {failed} failed"),
                };
                writeln!(to, "{:>9.1} s  {name} ({} tests{failed})", sum.seconds, sum.tests)?;
            }
            let seconds: f64 = self.tests.iter().map(|test| test.seconds).sum();
            writeln!(to, "{seconds:>9.1} s  in all ({} tests)", self.tests.len())?;
            writeln!(to, "\nThe slowest tests:")?;
            let mut tests: Vec<&Test> = self.tests.iter().collect();
            tests.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
            for test in tests.iter().take(SLOWEST) {
                writeln!(to, "{:>9.1} s  {} {}", test.seconds, test.binary, test.name)?;
            }
        }
        if !self.starts.is_empty() {
            writeln!(to, "\nStarts of browsers:")?;
        }
        for (browser, starts) in &self.starts {
            write!(
                to,
                "{:>9.1} s  {browser}: {} starts of {:.2} s",
                starts.seconds,
                starts.count,
                mean(starts.seconds, starts.count)
            )?;
            if starts.ready > 0 {
                let ready = mean(starts.ready_seconds, starts.ready);
                write!(to, ", {ready:.2} s until pages are captured")?;
            }
            writeln!(to)?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "no run has so many tests")]
fn mean(sum: f64, count: u64) -> f64 {
    sum / count.max(1) as f64
}

/// Out of `JUnit`'s XML as nextest writes it: the attributes of each `testcase`, and whether there
/// is a failure in it.
fn tests_of(xml: &str) -> Vec<Test> {
    let cases = xml.split("<testcase ").skip(1);
    cases
        .filter_map(|case| {
            let (tag, rest) = case.split_once('>')?;
            let inside = if tag.ends_with('/') {
                ""
            } else {
                rest.split("</testcase>").next().unwrap_or_default()
            };
            Some(Test {
                name: attribute(tag, "name")?,
                binary: attribute(tag, "classname")?,
                seconds: attribute(tag, "time")?.parse().ok()?,
                has_passed: !inside.contains("<failure") && !inside.contains("<error"),
                is_flaky: false,
                output: ["system-err", "system-out"]
                    .iter()
                    .filter_map(|element| text_of(inside, element))
                    .collect(),
            })
        })
        .collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let begin = format!("{name}=\"");
    let (before, rest) = tag.split_once(&begin)?;
    // `name` is the end of `classname`, too.
    if !(before.is_empty() || before.ends_with(' ')) {
        return attribute(rest, name);
    }
    Some(unescaped(rest.split('"').next()?))
}

/// The text in an element.
fn text_of(xml: &str, element: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{element}>"))?;
    Some(unescaped(rest.split_once(&format!("</{element}>"))?.0))
}

fn unescaped(value: &str) -> String {
    let mut text = value.to_owned();
    for (escaped, char) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ] {
        text = text.replace(escaped, char);
    }
    text
}

/// Out of the lines of `tests/src/browser/starts.rs`.
fn starts_of(lines: &str) -> BTreeMap<String, Starts> {
    let mut starts: BTreeMap<String, Starts> = BTreeMap::new();
    for line in lines.lines() {
        // A test that was killed may have left half a line.
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let (Some(browser), Some(seconds)) = (line["browser"].as_str(), line["seconds"].as_f64()) else {
            continue;
        };
        let of = starts.entry(browser.to_owned()).or_default();
        if line["ready"] == true {
            of.ready += 1;
            of.ready_seconds += seconds;
        } else {
            of.count += 1;
            of.seconds += seconds;
        }
    }
    starts
}

/// Nextest's expression for the tests that failed by these results; `None` if none did, or more
/// than so many.
pub fn failed(results: &Path, most: usize) -> Option<String> {
    let tests = tests_of(&fs::read_to_string(results).unwrap_or_default());
    let failed = tests.iter().filter(|test| !test.has_passed);
    let expressions: Vec<_> = failed
        .map(|test| format!("(binary_id(={}) & test(={}))", test.binary, test.name))
        .collect();
    (1..=most)
        .contains(&expressions.len())
        .then(|| expressions.join(" | "))
}

/// The names of the tests that failed by these results.
pub fn names_of_failed(results: &Path) -> Vec<String> {
    let tests = tests_of(&fs::read_to_string(results).unwrap_or_default());
    let failed = tests.iter().filter(|test| !test.has_passed);
    failed
        .map(|test| format!("{} {}", test.binary, test.name))
        .collect()
}

/// For error messages: which tests failed. A flaky one is named at the top of the table.
pub fn failures(report: &Report) -> String {
    let mut text = String::new();
    let failed = report
        .tests
        .iter()
        .filter(|test| !test.has_passed && !test.is_flaky);
    for test in failed {
        let _infallible = write!(text, "\n  {} {}", test.binary, test.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESULTS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="2" failures="1" errors="0" uuid="1" time="1.5">
    <testsuite name="idb-relay::host" tests="2" disabled="0" errors="0" failures="1">
        <testcase name="a::passes" classname="idb-relay::host" timestamp="2026-01-01T00:00:00Z" time="1.25">
        </testcase>
        <testcase name="b::fails&lt;x&gt;" classname="idb-relay::host" time="0.25">
            <failure type="test failure">no</failure>
            <system-err>waited 30 s for &lt;a bus&gt;</system-err>
        </testcase>
        <testcase name="c" classname="other" time="2"/>
    </testsuite>
</testsuites>"#;

    fn report() -> Report {
        let starts = "{\"browser\":\"firefox\",\"seconds\":2.0}\n{\"browser\":\"firefox\",\"seconds\":3.0}\n\
             {\"browser\":\"firefox\",\"ready\":true,\"seconds\":4.0}\n{\"brow";
        Report {
            steps: vec![("Testing".to_owned(), Duration::from_millis(1500))],
            total: Duration::from_secs(2),
            tests: tests_of(RESULTS),
            starts: starts_of(starts),
        }
    }

    #[test]
    fn results_are_read_as_nextest_writes_them() {
        let names: Vec<_> = report()
            .tests
            .into_iter()
            .map(|test| (test.binary, test.name, test.has_passed))
            .collect();
        let expected = [
            ("idb-relay::host", "a::passes", true),
            ("idb-relay::host", "b::fails<x>", false),
            ("other", "c", true),
        ];
        let expected = expected.map(|(binary, name, passed)| (binary.to_owned(), name.to_owned(), passed));
        assert_eq!(names, expected);
    }

    #[test]
    fn the_table_has_steps_modules_tests_and_starts() {
        let report = report();
        let table = report.to_string();
        for line in [
            "      1.5 s  Testing\n",
            "      2.0 s  other (1 tests)\n      1.2 s  idb-relay::host a (1 tests)\n",
            "      0.2 s  idb-relay::host b (1 tests, 1 failed)\n",
            "      1.2 s  idb-relay::host a::passes\n",
            "      5.0 s  firefox: 2 starts of 2.50 s, 4.00 s until pages are captured\n",
        ] {
            assert!(table.contains(line), "{line:?} is not in {table}");
        }
        assert_eq!(failures(&report), "\n  idb-relay::host b::fails<x>");
        let json = report.to_json();
        assert_eq!(json["browsers"][0]["starts"], 2);
        assert_eq!(json["tests"].as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn test_that_passes_alone_is_named_flaky_with_its_first_output() {
        let mut report = report();
        let directory = tempfile::tempdir().unwrap();
        let alone = directory.path().join("junit.xml");
        let again = r#"<testcase name="b::fails&lt;x&gt;" classname="idb-relay::host" time="1"/>"#;
        fs::write(&alone, again).unwrap();
        report.add_second_attempts(&alone);
        let table = report.to_string();
        let top = "FLAKY: idb-relay::host b::fails<x> failed once, passed alone: mend its cause. It wrote:\n    \
                   waited 30 s for <a bus>\n";
        assert!(table.starts_with(top), "{table}");
        assert_eq!(failures(&report), "", "it is no failure");
        let flaky = &report.to_json()["flaky"][0];
        assert_eq!(flaky["output"], "waited 30 s for <a bus>");
    }

    #[test]
    fn second_attempt_is_for_few_failures() {
        let directory = tempfile::tempdir().unwrap();
        let results = directory.path().join("junit.xml");
        assert_eq!(failed(&results, 3), None, "nothing ran");
        fs::write(&results, RESULTS).unwrap();
        let expected = "(binary_id(=idb-relay::host) & test(=b::fails<x>))";
        assert_eq!(failed(&results, 1).as_deref(), Some(expected));
        assert_eq!(failed(&results, 0), None, "one is too many");
    }
}

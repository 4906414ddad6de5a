//! `cargo xtask test`: formatting, lints, unit tests, browser tests.
//!
//! Three sizes: `--quick` is for the minute between two edits, nothing is for a change that is
//! finished, `--long` is for the night.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    build, deny, lab, lint,
    machine::{self, Need},
    report::{self, Report},
    run,
};

/// The crates that are compiled to WebAssembly, and so are checked apart from the rest.
const EXTENSION: [&str; 3] = ["idb-relay-extension", "idb-relay-pages", "idb-relay-panel"];

/// The tests of `--quick`: all that need no browser, and the views in one.
const QUICK: &str = "not package(idb-relay-tests) | (package(idb-relay-tests) & (kind(lib) | kind(bin))) \
                     | (binary(browsers) & test(/^views::chromium::/))";

/// How many random rounds `--quick` has of each kind that `--long` is made of.
const QUICK_ROUNDS: [(&str, &str); 2] = [("IDB_RELAY_ROUNDS", "4"), ("IDB_RELAY_APPLY_ROUNDS", "1")];

/// The tests of `--long`: those that generate what they do.
const LONG: &str = "test(=crash::nothing_is_lost_doubled_or_stale_after_any_crash) \
                    | test(=apply::model::processes_that_come_and_go_leave_what_the_model_says) \
                    | test(/^differential::/) | test(auditor)";

/// How much they do before `--long` looks at the clock again.
const LONG_ROUNDS: [(&str, &str); 4] = [
    ("IDB_RELAY_ROUNDS", "100"),
    ("IDB_RELAY_PROGRAMS", "500"),
    ("IDB_RELAY_AUDITS", "50"),
    ("IDB_RELAY_APPLY_ROUNDS", "40"),
];

/// The variables that name the first seed of each.
const SEEDS: [&str; 2] = ["IDB_RELAY_SEED", "IDB_RELAY_APPLY_SEED"];

/// So far apart that no round has the seed of another day's, nor of the next turn of `--long`.
const SEEDS_APART: u64 = 10_000;

/// Most tests wait for another process most of the time. Those that do not are counted in
/// `.config/nextest.toml`.
const THREADS_PER_CORE: usize = 4;

/// How many failed tests CI tries once more. More than these are no accident.
const FEW: usize = 3;

/// One run of cargo for tests.
enum Run<'a> {
    /// Only what is tested is built.
    Build,
    /// What was asked for.
    Asked,
    /// What this expression of nextest names, one test at a time.
    Alone(&'a str),
}

/// Which tests are to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Size {
    /// Those that take no minute.
    Quick,
    /// All.
    Everyday,
    /// Those that generate what they do, for so long.
    Long(Duration),
}

/// What `cargo xtask test` was asked.
#[derive(Debug)]
pub struct Request<'a> {
    /// Which tests.
    pub size: Size,
    /// Only those whose names, or whose files' names, contain one of these; all without any.
    pub filters: &'a [String],
    /// The first seed of tests that generate what they do; one a day if left out.
    pub seed: Option<u64>,
    /// Where to write the report.
    pub json: Option<PathBuf>,
}

/// Runs the tests, and says where the time went.
pub fn test(root: &Path, request: &Request<'_>) -> Result<()> {
    let began = Instant::now();
    let results = results(root, "default");
    let alone = self::results(root, "alone");
    let starts = build::target_directory(root).join("browser-starts");
    // Of an earlier run.
    for file in [&results, &alone, &starts] {
        let _not_there = fs::remove_file(file);
    }
    let ran = run_tests(root, request, &starts);
    let mut report = Report::of(run::steps(), began.elapsed(), &results, &starts);
    report.add_second_attempts(&alone);
    eprintln!("\n{report}");
    if let Some(path) = &request.json {
        report.write_json(path)?;
    }
    let failed = report::failures(&report);
    if failed.is_empty() {
        ran
    } else {
        ran.with_context(|| format!("tests failed:{failed}"))
    }
}

fn run_tests(root: &Path, request: &Request<'_>, starts: &Path) -> Result<()> {
    machine::ensure(needs(&request.size))?;
    let with_browsers = request.size != Size::Quick;
    if with_browsers {
        lab::packages(root, "tests/peer")?;
    }
    lab::site_packages(root)?;
    if request.filters.is_empty() {
        match request.size {
            Size::Quick => {
                check_formatting(root)?;
                check_page_scripts(root)?;
            }
            Size::Everyday => lint(root)?,
            Size::Long(_) => {}
        }
    }
    let until = match request.size {
        Size::Long(how_long) => Some(Instant::now() + how_long),
        _ => None,
    };
    let mut seed = request.seed.unwrap_or_else(seed_of_today);
    let has_nextest = has_nextest();
    if !has_nextest && request.size != Size::Everyday {
        bail!("--quick and --long need cargo-nextest: run `cargo install cargo-nextest --locked`");
    }
    let tests = |run: &Run<'_>, seed: u64| {
        let mut tests = run::cargo(root);
        if has_nextest {
            nextest(&mut tests, request, run);
        } else {
            // About as many browsers at a time as .config/nextest.toml allows.
            tests.args(["test", "--workspace", "--no-fail-fast"]);
            if matches!(run, Run::Build) {
                tests.arg("--no-run");
            } else {
                tests.args(["--", "--test-threads=3"]).args(request.filters);
            }
        }
        lab::with_browsers(&mut tests);
        tests.env("IDB_RELAY_LAB_STARTS", starts);
        for variable in SEEDS {
            if std::env::var_os(variable).is_none() {
                tests.env(variable, seed.to_string());
            }
        }
        let rounds = match request.size {
            Size::Quick => &QUICK_ROUNDS[..],
            Size::Everyday => &[],
            Size::Long(_) => &LONG_ROUNDS[..],
        };
        tests.envs(rounds.iter().copied());
        tests
    };
    // The host among them: built by itself, it and the crates below it would be compiled again with
    // other features.
    run::visibly("Building the host and the tests", tests(&Run::Build, seed))?;
    if with_browsers {
        build::extension(root, false)?;
    }
    build::views(root)?;
    loop {
        let tested = run::visibly(&format!("Testing with seed {seed}"), tests(&Run::Asked, seed));
        // Elsewhere a person sees the failure, and looks for its cause.
        let expression = match tested {
            Err(_) if has_nextest && std::env::var_os("CI").is_some() => {
                report::failed(&results(root, "default"), FEW)
            }
            _ => None,
        };
        match expression {
            Some(expression) => {
                run::visibly("Testing alone what failed", tests(&Run::Alone(&expression), seed))?;
            }
            None => tested?,
        }
        seed += SEEDS_APART;
        if until.is_none_or(|until| Instant::now() >= until) {
            return Ok(());
        }
    }
}

fn needs(size: &Size) -> &'static [Need] {
    const QUICK: &[Need] = &[
        Need::WasmTarget,
        Need::Linters,
        Need::Chromium,
        Need::Redis,
        Need::Memcached,
        Need::Node,
        Need::Python,
    ];
    const ALL: &[Need] = &[
        Need::WasmTarget,
        Need::Linters,
        Need::Chromium,
        Need::Firefox,
        Need::Redis,
        Need::Memcached,
        Need::Node,
        Need::Python,
    ];
    match size {
        Size::Quick => QUICK,
        Size::Everyday | Size::Long(_) => ALL,
    }
}

fn nextest(tests: &mut Command, request: &Request<'_>, run: &Run<'_>) {
    tests.args(["nextest", "run", "--workspace"]);
    match run {
        Run::Build => {
            tests.arg("--no-run");
            return;
        }
        Run::Alone(expression) => {
            tests.args(["--profile=alone", "--no-fail-fast", "-E", expression]);
            return;
        }
        Run::Asked => {}
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    tests.arg("--no-fail-fast");
    tests.arg(format!("--test-threads={}", cores * THREADS_PER_CORE));
    let within = match request.size {
        Size::Quick => Some(QUICK),
        Size::Everyday => None,
        Size::Long(_) => Some(LONG),
    };
    // Several expressions: what any of them names.
    if request.filters.is_empty() {
        tests.args(within.map(|within| format!("-E{within}")));
    }
    // A file of tests is a module, so its name is part of the names of its tests.
    for text in request.filters {
        tests.arg("-E").arg(match within {
            Some(within) => format!("({within}) & test(~{text})"),
            None => format!("test(~{text})"),
        });
    }
}

/// Where nextest leaves what came of the tests, as `.config/nextest.toml` says for this profile.
fn results(root: &Path, profile: &str) -> PathBuf {
    let nextest = build::target_directory(root).join("nextest");
    nextest.join(profile).join("junit.xml")
}

/// Another one every day, the same all day long.
fn seed_of_today() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() / (24 * 60 * 60)) * SEEDS_APART
}

fn lint(root: &Path) -> Result<()> {
    deny::check(root)?;

    check_formatting(root)?;
    lint::check(root)?;

    let mut native = run::cargo(root);
    native.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]);
    run::visibly("Linting what runs on this machine", native)?;

    let mut extension = run::cargo(root);
    extension
        .args([
            "clippy",
            "--lib",
            "--test",
            "views",
            "--target",
            "wasm32-unknown-unknown",
        ])
        .args(EXTENSION.map(|package| format!("--package={package}")))
        .args(["--", "--deny", "warnings"]);
    run::visibly("Linting the extension", extension)?;

    check_page_scripts(root)
}

fn check_formatting(root: &Path) -> Result<()> {
    let mut format = run::cargo(root);
    format.args(["fmt", "--all", "--check"]);
    run::visibly("Checking the formatting", format)
}

fn check_page_scripts(root: &Path) -> Result<()> {
    let mut page = Command::new("node");
    page.current_dir(root)
        .args(["tests/sites/node_modules/typescript/bin/tsc", "--project"])
        .arg("extension/content");
    run::visibly("Checking the types of the page scripts", page)?;

    let directory = root.join("extension/content/test");
    let mut tests = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".test.js") {
            tests.push(path);
        }
    }
    tests.sort();
    let mut node = Command::new("node");
    node.current_dir(root)
        .args(["--test", "--test-reporter=dot"])
        .args(tests);
    run::visibly("Testing the page scripts without a browser", node)
}

/// Whether cargo-nextest is there; a toolchain from rustup alone has only `cargo test`.
fn has_nextest() -> bool {
    Command::new("cargo")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_of_a_day_is_far_from_the_next_ones() {
        assert_eq!(seed_of_today() % SEEDS_APART, 0);
    }

    /// A file that `main.rs` does not name is compiled by nothing, so its tests would never run.
    #[test]
    fn every_file_of_tests_is_a_module_of_its_binary() {
        let root = crate::root().unwrap();
        for directory in [
            "native-host/tests/host",
            "protocol/tests/formats",
            "tests/tests/browsers",
        ] {
            let main = fs::read_to_string(root.join(directory).join("main.rs")).unwrap();
            for entry in fs::read_dir(root.join(directory)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap();
                if path.extension().is_some_and(|extension| extension == "rs") && name != "main" {
                    let declared = main.lines().any(|line| line == format!("mod {name};"));
                    assert!(declared, "{directory}/main.rs lacks `mod {name};`");
                }
            }
        }
    }
}

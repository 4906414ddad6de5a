//! `cargo xtask test`: formatting, lints, unit tests, browser tests.
//!
//! Four sizes: `--quick` is for the minute between two edits, nothing is for a change that is
//! finished, `--long` is for the night, `--rounds` looks for races.
//!
//! - [`turns`]: tests that run again and again.

mod turns;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail};

use self::turns::Turns;
use crate::{
    build, deny, lab, lint,
    machine::{self, Need},
    package,
    report::{self, Report},
    run,
};

/// The crates that are compiled to WebAssembly, and so are checked apart from the rest.
const EXTENSION: [&str; 3] = ["idb-relay-extension", "idb-relay-pages", "idb-relay-panel"];

/// The tests of `--quick`: all that need no browser but for [`SLOW`], and the views in one.
const QUICK: &str = "not package(idb-relay-tests) | (package(idb-relay-tests) & (kind(lib) | kind(bin))) \
                     | (binary(browsers) & test(/^views::chromium::/))";

/// The files of host tests that `--quick` leaves out, since what they are about takes its time:
/// servers that are away, slow, full or shared, and leases on their clocks; floods and full
/// journals; random faults. A new file belongs here if its tests need more than 5 seconds by
/// themselves.
const SLOW: [&str; 12] = [
    "apply",
    "bounds",
    "crash",
    "flow",
    "memcached",
    "memcached_transport",
    "owners",
    "redis_flight",
    "redis_memory",
    "retention",
    "verify",
    // Needs the host for Windows.
    "windows",
];

/// How much the tests of `--quick` do that generate what they do.
const QUICK_ROUNDS: [(&str, u32); 1] = [("PROPTEST_CASES", 32)];

/// How many bytes have to be free in memory for the temporary files of `--quick`, in KiB.
const QUICK_MEMORY: u64 = 1024 * 1024;

/// The tests of `--long`: those that generate what they do.
const LONG: &str = "test(=crash::nothing_is_lost_doubled_or_stale_after_any_crash) \
                    | test(=apply::model::processes_that_come_and_go_leave_what_the_model_says) \
                    | test(/^differential::/) | test(auditor) | test(/^workloads::/)";

/// Those that its first turn has, too: they take minutes, and do the same each time.
const MINUTES: &str = "test(/^extremes::.*_a_million_keys$/)";

/// The tests of `--rounds`.
const ROUNDS: &str =
    "binary(browsers) & not (test(/^differential::/) | test(auditor) | test(/^workloads::/))";

/// How much they do in a turn with all of the work.
const LONG_ROUNDS: [(&str, u32); 5] = [
    ("IDB_RELAY_ROUNDS", 100),
    ("IDB_RELAY_PROGRAMS", 500),
    ("IDB_RELAY_AUDITS", 50),
    ("IDB_RELAY_WORKLOADS", 30),
    ("IDB_RELAY_APPLY_ROUNDS", 40),
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
    Asked {
        /// Whether it is the first turn.
        is_first: bool,
        /// How much is generated, at most 1.
        share: f64,
    },
    /// What this expression of nextest names, one test at a time.
    Alone(&'a str),
}

/// The file of tests that run the host for Windows.
const WINDOWS_FILE: &str = "native-host/tests/host/windows.rs";

/// Nextest's expression for them.
const WINDOWS: &str = "package(idb-relay) & kind(test) & test(/^windows::/)";

/// What a run does about the tests of the host for Windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Windows {
    /// It has none of them.
    NotAsked,
    /// It builds the host that they start.
    Built,
    /// It leaves them out.
    LeftOut,
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
    /// Those in browsers, so often.
    Rounds(u32),
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
    let results = results(root, profile(&request.size));
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
    let windows = windows(root, request)?;
    let with_browsers = request.size != Size::Quick;
    lab::packages(root, "tests/peer")?;
    lab::site_packages(root)?;
    if request.filters.is_empty() {
        match request.size {
            Size::Quick => {
                check_formatting(root)?;
                check_page_scripts(root)?;
            }
            Size::Everyday => lint(root)?,
            Size::Long(_) | Size::Rounds(_) => {}
        }
    }
    let mut seed = request.seed.unwrap_or_else(seed_of_today);
    let has_nextest = has_nextest();
    if !has_nextest && request.size != Size::Everyday {
        bail!("--quick, --long and --rounds need cargo-nextest: run `cargo install cargo-nextest --locked`");
    }
    let tests = |run: &Run<'_>, seed: u64| {
        let mut tests = run::cargo(root);
        if has_nextest {
            nextest(&mut tests, request, run, windows);
        } else {
            // About as many browsers at a time as .config/nextest.toml allows.
            tests.args(["test", "--workspace", "--no-fail-fast"]);
            if matches!(run, Run::Build) {
                tests.arg("--no-run");
            } else {
                tests.args(["--", "--test-threads=3"]).args(request.filters);
                if windows == Windows::LeftOut {
                    tests.args(["--skip", "windows::"]);
                }
            }
        }
        lab::with_browsers(&mut tests);
        tests.env("IDB_RELAY_LAB_STARTS", starts);
        for variable in SEEDS {
            if std::env::var_os(variable).is_none() {
                tests.env(variable, seed.to_string());
            }
        }
        let (rounds, share) = match (&request.size, run) {
            (Size::Quick, _) => (&QUICK_ROUNDS[..], 1.0),
            (Size::Long(_), Run::Asked { share, .. }) => (&LONG_ROUNDS[..], *share),
            _ => (&[][..], 1.0),
        };
        for (variable, most) in rounds {
            tests.env(variable, scaled(*most, share).to_string());
        }
        if request.size == Size::Quick && has_room_in_memory() {
            tests.env("TMPDIR", MEMORY);
        }
        tests
    };
    // The host among them: built by itself, it and the crates below it would be compiled again with
    // other features.
    run::visibly("Building the host and the tests", tests(&Run::Build, seed))?;
    if with_browsers {
        build::extension(root, false)?;
    }
    if request.size == Size::Everyday && request.filters.is_empty() {
        package::check(root)?;
    }
    if windows == Windows::Built {
        build::windows_host(root)?;
    }
    build::views(root)?;
    let results = results(root, profile(&request.size));
    let mut turns = Turns::of(&request.size, results.with_file_name("turns"));
    while let Some(share) = turns.begin() {
        let is_first = turns.is_first();
        let asked = Run::Asked { is_first, share };
        // Of an earlier turn.
        let _not_there = fs::remove_file(&results);
        let mut tested = run::visibly(&format!("Testing with seed {seed}"), tests(&asked, seed));
        // Elsewhere a person sees the failure, and looks for its cause.
        if tested.is_err()
            && has_nextest
            && !turns.are_several()
            && std::env::var_os("CI").is_some()
            && let Some(expression) = report::failed(&results, FEW)
        {
            tested = run::visibly("Testing alone what failed", tests(&Run::Alone(&expression), seed));
        }
        turns.end(tested, &results)?;
        seed += SEEDS_APART;
    }
    turns.finish()
}

/// This share of a number of rounds, at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is between 0 and the number"
)]
fn scaled(rounds: u32, share: f64) -> u32 {
    ((f64::from(rounds) * share) as u32).max(1)
}

/// Where Linux has files in memory. No test in there waits for a disk that others keep busy.
const MEMORY: &str = "/dev/shm";

/// Whether it is there, and as large as the tests need; containers often have 64 MB of it.
fn has_room_in_memory() -> bool {
    let mut df = Command::new("df");
    df.args(["--output=avail", "-k", MEMORY]).stderr(Stdio::null());
    let output = df
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    let available = output.and_then(|text| text.lines().nth(1)?.trim().parse::<u64>().ok());
    available.is_some_and(|available| available >= QUICK_MEMORY)
}

/// What to do about the tests of the host for Windows. Only a full or a filtered run has them, and
/// they are left out where their tools cannot be had. CI has to have the tools.
fn windows(root: &Path, request: &Request<'_>) -> Result<Windows> {
    if request.size != Size::Everyday {
        return Ok(Windows::NotAsked);
    }
    let file = root.join(WINDOWS_FILE);
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    if !names_windows_test(request.filters, &text) {
        return Ok(Windows::NotAsked);
    }
    match machine::ensure(&[Need::Windows]) {
        Ok(()) => Ok(Windows::Built),
        Err(error) if std::env::var_os("CI").is_some() => Err(error),
        Err(error) => {
            eprintln!("Leaving out the tests of the host for Windows: {error:#}");
            Ok(Windows::LeftOut)
        }
    }
}

/// Whether these filters run a test of this file of host tests.
fn names_windows_test(filters: &[String], file: &str) -> bool {
    let functions = file.lines().filter_map(|line| line.strip_prefix("fn "));
    let mut tests = functions
        .filter_map(|rest| rest.split_once("()"))
        .map(|(name, _)| format!("windows::{name}"));
    filters.is_empty() || tests.any(|test| filters.iter().any(|text| test.contains(text.as_str())))
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
        Size::Everyday | Size::Long(_) | Size::Rounds(_) => ALL,
    }
}

fn nextest(tests: &mut Command, request: &Request<'_>, run: &Run<'_>, windows: Windows) {
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
        Run::Asked { .. } => {}
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    tests.args(["--no-fail-fast", "--profile", profile(&request.size)]);
    tests.arg(format!("--test-threads={}", cores * THREADS_PER_CORE));
    let within = match (&request.size, run) {
        (Size::Quick, _) => Some(quick()),
        (Size::Everyday, _) if windows == Windows::LeftOut => Some(format!("not ({WINDOWS})")),
        (Size::Everyday, _) => None,
        (Size::Long(_), Run::Asked { is_first: true, .. }) => {
            tests.arg("--run-ignored=all");
            Some(format!("{LONG} | {MINUTES}"))
        }
        (Size::Long(_), _) => Some(LONG.to_owned()),
        (Size::Rounds(_), _) => Some(ROUNDS.to_owned()),
    };
    // Several expressions: what any of them names.
    if request.filters.is_empty() {
        tests.args(within.as_ref().map(|within| format!("-E{within}")));
    }
    // A file of tests is a module, so its name is part of the names of its tests.
    for text in request.filters {
        tests.arg("-E").arg(match &within {
            Some(within) => format!("({within}) & test(~{text})"),
            None => format!("test(~{text})"),
        });
    }
}

/// Nextest's expression for the tests of `--quick`.
fn quick() -> String {
    format!(
        "({QUICK}) & not (package(idb-relay) & kind(test) & test(/^({})::/))",
        SLOW.join("|")
    )
}

/// Which profile of nextest has the settings.
fn profile(size: &Size) -> &'static str {
    match size {
        Size::Long(_) => "long",
        Size::Quick | Size::Everyday | Size::Rounds(_) => "default",
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
        .args(["extension/content", "--incremental", "--tsBuildInfoFile"])
        .arg(build::target_directory(root).join("page-scripts.tsbuildinfo"));
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
mod tests;

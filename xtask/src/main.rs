//! `cargo xtask`: the only build tool. Each command does its own set-up, on a fresh machine that
//! has rustup.
//!
//! # Layout
//!
//! - [`build`]: the host and the unpacked extensions.
//! - [`check`]: formatting, lints, unit tests, browser tests.
//! - [`deny`]: what the project depends on, and on what terms.
//! - [`lab`]: the programs that stand on the test crate: the demo and the benchmarks.
//! - [`machine`]: what has to be installed, and installing it.
//! - [`lint`]: rules about how the sources read.
//! - [`package`]: what a release consists of.
//! - [`report`]: what tests took, and what failed.
//! - [`run`]: running other programs so that a person sees what goes on.
//! - [`sizes`]: how large what browsers load may be.
//! - [`sources`]: the files that rules read.

mod build;
mod check;
mod deny;
mod lab;
mod lint;
mod machine;
mod package;
mod report;
mod run;
mod sizes;
mod sources;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand, ValueEnum};

/// Builds, shows, tests and measures idb-relay.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build the host and the unpacked extensions for Chromium and Firefox, and what their tests
    /// run
    Build {
        /// Optimise
        #[arg(long)]
        release: bool,
    },
    /// Watch `IndexedDB` writes of a sample shop arrive in Redis and Memcached
    ///
    /// Starts private Redis and Memcached servers and a browser with the extension. Without a
    /// display the browser runs headless and the page drives itself; then the contents of IndexedDB
    /// and Memcached are compared.
    #[command(verbatim_doc_comment)]
    Demo {
        /// Which browser to show it in
        #[arg(long, value_enum, default_value_t = Browser::Chromium)]
        browser: Browser,
        /// Do not open a window even if there is a display
        #[arg(long)]
        headless: bool,
    },
    /// Check formatting and lints, run the unit tests and the tests in real browsers
    ///
    /// Says at the end where the time went.
    Test {
        /// Only what takes no minute once it is built: no browsers but one for the views, no host
        /// tests that take their time, no lints but formatting and types
        #[arg(long, conflicts_with_all = ["long", "rounds"])]
        quick: bool,
        /// Only the tests that generate what they do, again and again for so many hours; those that
        /// take minutes once
        #[arg(long, value_name = "HOURS", num_args = 0..=1, default_missing_value = "1")]
        #[arg(conflicts_with = "rounds")]
        long: Option<f64>,
        /// Only the tests in browsers that generate nothing, so often in a row: which fail in how
        /// many rounds. Best while something else loads the machine
        #[arg(long, value_name = "COUNT", num_args = 0..=1, default_missing_value = "10")]
        rounds: Option<u32>,
        /// The first seed of the tests that generate what they do; another one each day when left
        /// out
        #[arg(long)]
        seed: Option<u64>,
        /// Write to this file as JSON where the time went
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Only run tests whose names contain one of these texts, and no checks before them; a
        /// test's file is part of its name
        #[arg(value_name = "FILTER")]
        filters: Vec<String>,
    },
    /// Check how the sources read: width of comments, words, circles of modules, links of documents
    Lint,
    /// Make the packages of a release in target/packages/
    ///
    /// The extension for the stores, its sources for Mozilla's reviewers, the host for Linux,
    /// Windows and macOS, Debian packages, checksums.
    Package {
        /// What to make; everything when left out
        #[arg(value_enum)]
        what: Option<Packages>,
        /// Only the host for this system, such as linux-x86_64; may be repeated
        #[arg(long = "target", value_name = "SYSTEM")]
        targets: Vec<String>,
        /// Make the extension a second time, from the archive of its sources, and compare
        #[arg(long)]
        verify: bool,
    },
    /// Make the pictures of the inspector that the README shows (docs/panel.png,
    /// docs/panel-dark.png)
    Picture,
    /// Measure; prints one JSON object a line
    Bench {
        /// What to measure; everything when left out
        #[arg(value_enum)]
        what: Option<Measure>,
        /// In which browser; both when left out
        #[arg(long, value_enum)]
        browser: Option<Browser>,
        /// How many events to flood the host with; a million when left out
        #[arg(long)]
        events: Option<u64>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Browser {
    Chromium,
    Firefox,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Packages {
    /// The extension, and in a checkout its sources
    Extension,
    /// The host
    Host,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// Rows a second from the page to Memcached, beside the bare page and a hand-written peer
    Page,
    /// From a commit to its value in Memcached, beside the native messaging round trip
    Latency,
    /// What capture costs the page itself, beside the bare page
    Cost,
    /// How soon the inspector shows something, how smooth it stays, what it weighs
    Panel,
    /// What the host makes of a flood and of a lone event, beside its servers alone and a
    /// hand-written peer; needs no browser
    Host,
    /// How soon a worker's write is found, and how often captured writes are compared for nothing
    Meter,
    /// How soon after a browser's first start its pages can be captured
    Start,
}

fn main() -> Result<()> {
    let root = root()?;
    match Arguments::parse().command {
        Task::Build { release } => {
            machine::ensure(&[machine::Need::WasmTarget])?;
            build::build(&root, release)?;
            // What is measured or shipped needs none of them.
            if release { Ok(()) } else { build::views(&root) }
        }
        Task::Demo { browser, headless } => lab::demo(&root, browser, headless),
        Task::Test {
            quick,
            long,
            rounds,
            seed,
            json,
            filters,
        } => {
            let size = match (quick, long, rounds) {
                (true, ..) => check::Size::Quick,
                (false, None, None) => check::Size::Everyday,
                (false, None, Some(count)) => check::Size::Rounds(count),
                (false, Some(hours), _) => check::Size::Long(
                    Duration::try_from_secs_f64(hours * 3600.0).context("--long takes a number of hours")?,
                ),
            };
            check::test(
                &root,
                &check::Request {
                    size,
                    filters: &filters,
                    seed,
                    json,
                },
            )
        }
        Task::Lint => lint::check(&root),
        Task::Package {
            what,
            targets,
            verify,
        } => package::package(
            &root,
            &package::Request {
                extension: what != Some(Packages::Host),
                targets: (what != Some(Packages::Extension)).then_some(&targets),
                verify,
            },
        ),
        Task::Picture => lab::picture(&root),
        Task::Bench {
            what,
            browser,
            events,
        } => lab::bench(&root, what, browser, events),
    }
}

/// The top of the source tree.
fn root() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .context("xtask lies at the top of the source tree")
}

impl Browser {
    fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Firefox => "firefox",
        }
    }
}

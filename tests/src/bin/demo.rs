//! `cargo xtask demo`: a sample shop whose IndexedDB writes arrive in Redis and Memcached before
//! your eyes.
//!
//! With a display the browser stays open until Ctrl-C or until its window is closed. Without one
//! the page drives itself, then IndexedDB and Memcached are compared record by record; the exit
//! status says whether they are equal.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::{
    collections::BTreeMap,
    env,
    io::{self, BufRead as _, BufReader, IsTerminal as _},
    process::{Child, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Parser;
use lab::{
    Rig,
    browser::{Browser, Kind, Page},
    observe, process,
    wait::{self, PATIENCE, Seen},
};

#[derive(Parser)]
struct Arguments {
    /// Which browser
    #[arg(long, default_value = "chromium")]
    browser: Kind,
    /// No window even if there is a display
    #[arg(long)]
    headless: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()));
    let window = display && !arguments.headless;

    let interrupted = Arc::new(AtomicBool::new(false));
    ctrlc::set_handler({
        let interrupted = Arc::clone(&interrupted);
        move || {
            interrupted.store(true, Ordering::Relaxed);
            // Every wait for these processes fails now, and everything is cleaned up on the way
            // out.
            process::kill_all();
        }
    })
    .context("cannot listen for Ctrl-C")?;

    match show(arguments.browser, window) {
        Ok(equal) if equal => Ok(ExitCode::SUCCESS),
        Ok(_) => Ok(ExitCode::FAILURE),
        Err(_) if interrupted.load(Ordering::Relaxed) => {
            println!("\n{}", dim("Stopped; nothing is left behind."));
            Ok(ExitCode::from(130))
        }
        Err(error) => Err(error),
    }
}

/// The whole demo; `Ok(true)` if everything is equal in the end.
fn show(kind: Kind, window: bool) -> Result<bool> {
    let rig = Rig::new(kind)?;
    introduce(&rig);
    let tail = Tail::start(&rig)?;
    let mut browser = rig.browser_in(window)?;
    if window {
        let _page = browser.open(&rig.site.url("/shop/"))?;
        println!(
            "{}",
            bold(
                "The shop is open: buy something, or let it shop for you. Ctrl-C or closing the browser ends the demo."
            )
        );
        stay_open(&mut browser)?;
        return Ok(true);
    }
    let page = browser.open(&rig.site.url("/shop/"))?;
    println!("{}\n", bold("No display: the shop drives itself."));
    wait::until("the shop to open", PATIENCE, || {
        Ok(match page.evaluate("Boolean(window.demo)")?.as_bool() {
            Some(true) => Seen::Ready(()),
            _ => Seen::Not("it is loading".to_owned()),
        })
    })?;
    page.evaluate("demo.drive(150)")?;
    // What never becomes equal is shown by the comparison below.
    let _converged = observe::converged(&page, &rig.site.origin(), &rig.memcached);
    tail.finish(rig.stream()?.len());
    compare(&rig, &page)
}

/// What runs where, and how to look into it.
fn introduce(rig: &Rig) {
    let port = rig.redis.port();
    println!("{}", bold("idb-relay: from IndexedDB to Redis and Memcached\n"));
    for (name, place, how) in [
        ("Shop", rig.site.url("/shop/"), String::new()),
        (
            "Redis",
            rig.redis.url(),
            format!("redis-cli -p {port} psubscribe 'idb:*'    redis-cli -p {port} xrange idb:events - +"),
        ),
        (
            "Memcached",
            rig.memcached.address(),
            format!(
                "printf 'lru_crawler metadump all\\r\\nquit\\r\\n' | nc 127.0.0.1 {}",
                rig.memcached.port()
            ),
        ),
        (
            "Journal",
            rig.relay.journal_directory().display().to_string(),
            format!(
                "IDB_RELAY_CONFIG={} {} ls",
                rig.relay.config().display(),
                rig.relay.host().display()
            ),
        ),
    ] {
        println!("  {name:<10} {place}");
        if !how.is_empty() {
            println!("  {:<10} {}", "", dim(&how));
        }
    }
    println!();
}

/// Compares record by record and prints a line a store.
fn compare(rig: &Rig, page: &Page<'_>) -> Result<bool> {
    let origin = rig.site.origin();
    let records = observe::contents(page)?;
    let held = rig.memcached.dump()?;
    let mut stores: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for record in &records {
        let counts = stores
            .entry(format!("{}/{}", record.database, record.store))
            .or_default();
        counts.0 += 1;
        let item = held.get(&record.memcached_key(&origin)?);
        counts.1 += usize::from(item.is_some_and(|item| item.value == record.value.as_bytes()));
    }
    println!(
        "\n{}",
        bold(&format!(
            "  {:<20} {:>10} {:>10}",
            "store", "IndexedDB", "Memcached"
        ))
    );
    for (store, (there, equal)) in &stores {
        let mark = if there == equal { green("✓") } else { red("✗") };
        println!("  {store:<20} {there:>10} {equal:>10} {mark}");
    }
    let differences = observe::compare(&records, &origin, &rig.memcached)?;
    for difference in &differences {
        println!("  {}", red(difference));
    }
    let events = rig.stream()?.len();
    if differences.is_empty() {
        println!(
            "\n{}",
            green(&format!(
                "Equal: all {} records, byte for byte, by way of {events} events.",
                records.len()
            ))
        );
    } else {
        println!("\n{}", red(&format!("{} differences", differences.len())));
    }
    Ok(differences.is_empty())
}

fn stay_open(browser: &mut Browser) -> Result<()> {
    while !browser.ended()? {
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// A running `idb-relay tail` whose lines appear on our standard output.
struct Tail {
    child: Child,
    lines: Arc<AtomicUsize>,
    printer: Option<JoinHandle<()>>,
}

impl Tail {
    fn start(rig: &Rig) -> Result<Self> {
        let mut child = rig
            .relay
            .command(&["tail"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run idb-relay tail")?;
        let output = child.stdout.take().context("tail's output is piped")?;
        let lines = Arc::new(AtomicUsize::new(0));
        let printer = thread::spawn({
            let lines = Arc::clone(&lines);
            move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    println!("{line}");
                    lines.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Ok(Self {
            child,
            lines,
            printer: Some(printer),
        })
    }

    /// Lets it print a line for each of `events`, then ends it.
    fn finish(mut self, events: usize) {
        let _good_enough = wait::until("the last lines", Duration::from_secs(3), || {
            let lines = self.lines.load(Ordering::Relaxed);
            Ok(if lines >= events {
                Seen::Ready(())
            } else {
                Seen::Not(format!("{lines} lines"))
            })
        });
        self.end();
    }

    fn end(&mut self) {
        let _ended_already = self.child.kill();
        let _nothing_to_learn = self.child.wait();
        if let Some(printer) = self.printer.take() {
            let _panicked = printer.join();
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.end();
    }
}

/// Text in a style of ANSI terminals, on a terminal.
fn styled(style: &str, text: &str) -> String {
    if io::stdout().is_terminal() {
        format!("\x1b[{style}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

fn bold(text: &str) -> String {
    styled("1", text)
}

fn dim(text: &str) -> String {
    styled("2", text)
}

fn green(text: &str) -> String {
    styled("32", text)
}

fn red(text: &str) -> String {
    styled("31", text)
}

//! `cargo xtask bench`: figures as JSON, one object a line. Everything that is set in relation is
//! measured in the same run, on the same machine, with the same pages.
//!
//! # Layout
//!
//! - [`page`]: rows a second from the page to Memcached; beside it the bare page, and [`peer`], the
//!   same synchronisation written by hand.
//! - [`cost`]: what capture costs the page itself, beside the bare page, in alternation.
//! - [`panel`]: how soon the inspector shows something, how smooth it stays, what it weighs.
//! - [`meter`]: how soon an unseen write is found, and how often captured ones are compared for
//!   nothing.
//! - [`start`]: how soon after a browser's first start its pages can be captured.
//! - [`host`]: what the host makes of a flood and of a lone event, with no browser; beside it each
//!   leg of its way alone, and a host written by hand.
//! - [`latency`]: from a commit to its value in Memcached; beside it [`echo`], native messaging
//!   with nothing else.
#![allow(clippy::print_stdout, reason = "its figures are its output")]

mod cost;
mod echo;
mod host;
mod latency;
mod meter;
mod page;
mod panel;
mod peer;
mod start;
mod statistics;

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::{Parser, ValueEnum};
use lab::{browser::Kind, process};

#[derive(Parser)]
struct Arguments {
    /// What to measure; everything when left out
    #[arg(value_enum)]
    what: Option<What>,
    /// In which browser; both when left out
    #[arg(long)]
    browser: Vec<Kind>,
    /// How many events to flood the host with
    #[arg(long, default_value_t = host::EVENTS)]
    events: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Page,
    Latency,
    Cost,
    Panel,
    Host,
    Meter,
    Start,
}

fn main() -> Result<()> {
    // A browser starts the echo with arguments of its own.
    if std::env::var_os(echo::VARIABLE).is_some() {
        return echo::serve();
    }
    let arguments = Arguments::parse();
    ctrlc::set_handler(process::kill_all)?;
    let browsers = if arguments.browser.is_empty() {
        Kind::ALL.to_vec()
    } else {
        arguments.browser
    };
    if arguments.what.is_none_or(|what| what == What::Host) {
        host::measure(arguments.events, |figures| println!("{figures}"))?;
        if arguments.what.is_some() {
            return Ok(());
        }
    }
    for kind in browsers {
        if arguments.what.is_none_or(|what| what == What::Latency) {
            println!("{}", latency::measure(kind)?);
        }
        if arguments.what.is_none_or(|what| what == What::Page) {
            for figures in page::measure(kind)? {
                println!("{figures}");
            }
        }
        if arguments.what.is_none_or(|what| what == What::Cost) {
            for figures in cost::measure(kind)? {
                println!("{figures}");
            }
        }
        if arguments.what.is_none_or(|what| what == What::Meter) {
            println!("{}", meter::measure(kind)?);
        }
        if arguments.what.is_none_or(|what| what == What::Start) {
            println!("{}", start::measure(kind)?);
        }
        if arguments.what.is_none_or(|what| what == What::Panel) {
            for figures in panel::measure(kind)? {
                println!("{figures}");
            }
        }
    }
    Ok(())
}

/// Milliseconds since the epoch, as the pages tell time.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64() * 1000.0)
}

//! `cargo xtask lint`: rules about how the sources read, which no compiler knows.
//!
//! - [`comments`]: comments stay within 100 columns.
//! - [`words`]: words that `docs/glossary.md` or plain English replaces.
//! - [`modules`]: no circle between modules, no arrow up between the floors of the host.
//! - [`timers`]: the durations of a crate stand in one module.
//! - [`sizes`]: page scripts and WASM modules stay within their budgets.
//! - [`formatting`]: JavaScript and CSS look as Prettier prints them.
//! - [`links`]: links and anchors of the documents lead somewhere.
//!
//! Each rule has its findings, and a fix for all of them. `xtask/lint.toml` says which directories
//! are read, which words are refused, and how many findings of a rule an area still has from before
//! the rule. That number must be exact, so it only goes down: fewer findings fail, too, until it is
//! lowered.

mod comments;
mod formatting;
mod links;
mod modules;
mod settings;
mod sizes;
mod timers;
mod words;

use std::{collections::BTreeMap, fmt::Write as _, path::Path, time::Instant};

use anyhow::{Result, bail};

use self::settings::Settings;
use crate::{run, sources::Sources};

/// What a rule found in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, relative to the top of the tree.
    file: String,
    /// The line, from 1; 0: the whole file.
    line: usize,
    /// What is wrong there.
    message: String,
}

/// A rule with what it found.
struct Rule {
    name: &'static str,
    fix: &'static str,
    findings: Vec<Finding>,
}

/// How many findings of an area are listed.
const LISTED: usize = 20;

/// Checks every rule; the error lists what breaks one, with the fix.
pub fn check(root: &Path) -> Result<()> {
    run::announce("Linting how the sources read");
    let began = Instant::now();
    let formatting = formatting::begin(root)?;
    let settings = Settings::read(root)?;
    let sources = Sources::read(root)?;
    let rules = [
        Rule {
            name: "comments",
            fix: "Wrap the comment at 100 columns.",
            findings: comments::find(&sources),
        },
        Rule {
            name: "words",
            fix: "Use the word that is named, or write the sentence without it (docs/glossary.md).",
            findings: words::find(&sources, &settings),
        },
        Rule {
            name: "modules",
            fix: "Move what both modules need into a third one, or pass it as an argument.",
            findings: modules::find(&sources, &settings)?,
        },
        Rule {
            name: "timers",
            fix: "Name it in the crate's module of durations, with its reason. If it is no timer, add its file to [timers] in \
                  xtask/lint.toml.",
            findings: timers::find(&sources, &settings)?,
        },
        Rule {
            name: "links",
            fix: "Correct the link, or the heading that it names.",
            findings: links::find(&sources),
        },
        Rule {
            name: "sizes",
            fix: "Take out what is not needed; a larger budget (xtask/src/sizes.rs) needs its reason in the commit.",
            findings: sizes::find(root, &sources)?,
        },
        Rule {
            name: "formatting",
            fix: "Run `node tests/sites/node_modules/prettier/bin/prettier.cjs --write extension tests`.",
            findings: formatting.find()?,
        },
    ];
    let mut problems = String::new();
    for rule in &rules {
        compare(rule, &settings, &mut problems)?;
    }
    run::announce(&format!("Linted in {} ms", began.elapsed().as_millis()));
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{}", problems.trim_end())
}

/// Compares the findings of a rule with those that each area is allowed.
fn compare(rule: &Rule, settings: &Settings, problems: &mut String) -> Result<()> {
    let mut by_area: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &rule.findings {
        by_area
            .entry(settings.area(&finding.file))
            .or_default()
            .push(finding);
    }
    for area in settings.allowed_areas(rule.name) {
        by_area.entry(area).or_default();
    }
    for (area, mut findings) in by_area {
        findings.sort();
        let (found, allowed) = (findings.len(), settings.allowed(rule.name, area));
        if found < allowed {
            writeln!(
                problems,
                "{area} has {found} findings of `{rule}`, and xtask/lint.toml allows {allowed}.\n  \
                 fix: Write {found} there, so that none comes back.",
                rule = rule.name
            )?;
        } else if found > allowed {
            writeln!(
                problems,
                "{area} has {found} findings of `{}`, {allowed} allowed:",
                rule.name
            )?;
            for finding in findings.iter().take(LISTED) {
                writeln!(
                    problems,
                    "  {}:{}: {}",
                    finding.file, finding.line, finding.message
                )?;
            }
            if found > LISTED {
                writeln!(problems, "  and {} more", found - LISTED)?;
            }
            writeln!(problems, "  fix: {}", rule.fix)?;
        }
    }
    Ok(())
}

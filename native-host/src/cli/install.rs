//! `idb-relay install` and `idb-relay uninstall`.

use std::{
    collections::BTreeSet,
    env,
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use protocol::shown::shell_word;

use super::CliError;
use crate::{
    install::{
        self, InstallError, Plan,
        browsers::{self, Scope},
        copy,
        plan::Outcome,
        surroundings::Surroundings,
    },
    output::line,
};

/// Tell browsers where this program is
///
/// Browsers start a native host only if a manifest in a place of theirs names it: a file in a
/// directory, on Windows a registry key. Without --browser those that are there are served. Run it
/// again after moving the program, or let --copy put it where it stays.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  idb-relay install                                  for your browsers\n  \
    idb-relay install --copy                           copy the program first, out of a download\n  \
    idb-relay install --browser firefox --dry-run      show what would be written\n  \
    idb-relay install --browser chromium --user-data-dir /tmp/profile\n  \
    sudo idb-relay install --system --browser all      for everybody"
)]
pub(super) struct Install {
    #[command(flatten)]
    target: Target,
    /// Copy this program to your own programs (~/.local/bin, on Windows
    /// %LOCALAPPDATA%\Programs\idb-relay), and name the copy
    #[arg(long, conflicts_with = "system")]
    copy: bool,
    /// With --dry-run: show what the manifests say, too
    #[arg(long, requires = "dry_run")]
    verbose: bool,
}

/// Remove the registrations that `install` has made
///
/// Takes the options of install and removes what an install has written, wherever the program was
/// then; without --browser, for all browsers. Journals and configuration stay.
#[derive(Debug, Args)]
pub(super) struct Uninstall {
    #[command(flatten)]
    target: Target,
    /// Remove the copy that `install --copy` has made, too
    #[arg(long, conflicts_with = "system")]
    copy: bool,
}

// Not a doc comment: clap would take it for the text about the command that flattens it.
#[derive(Debug, Args)]
struct Target {
    /// chromium, chrome, chrome-beta, chrome-dev, chrome-canary, edge, edge-beta, edge-dev, brave,
    /// brave-beta, vivaldi, opera, arc, firefox, firefox-esr, firefox-developer, librewolf,
    /// waterfox, zen, or all
    #[arg(long, value_name = "NAME")]
    browser: Option<String>,
    /// For every user of this machine
    #[arg(long, conflicts_with = "user_data_dir")]
    system: bool,
    /// For one profile only: the directory that Chromium's --user-data-dir names; for Firefox,
    /// which looks in the home directory for every profile, the directory that HOME names when it
    /// is started
    #[arg(long, value_name = "DIR")]
    user_data_dir: Option<PathBuf>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

impl Target {
    fn scope(&self) -> Scope {
        match (&self.user_data_dir, self.system) {
            (Some(directory), _) => Scope::Directory(directory.clone()),
            (None, true) => Scope::System,
            (None, false) => Scope::User,
        }
    }
}

pub(super) fn install(command: &Install, out: &mut impl Write) -> Result<(), CliError> {
    let target = &command.target;
    let surroundings = Surroundings::find();
    let browser = target.browser.as_deref();
    let scope = target.scope();
    let browsers = browsers::chosen(browser, &scope, &surroundings)?;
    let mut program = env::current_exe().map_err(CliError::Program)?;
    if command.copy {
        let copy = copy::path(&surroundings)?;
        if target.dry_run {
            line!(out, "would copy this program to {}", copy.display())?;
        } else if copy::write(&program, &copy)? {
            line!(out, "copied this program to {}", copy.display())?;
        }
        program = copy;
    }
    let plans = install::plan(&browsers, &scope, &surroundings, &program)?;
    let mut failure = None;
    for (browser, plan) in browsers.iter().zip(&plans) {
        if let Some(why) = browser.cannot() {
            line!(out, "{}: skipped: {why}", plan.browser)?;
        } else if target.dry_run {
            line!(out, "{}: would write {}", plan.browser, places(plan))?;
            if command.verbose {
                show(plan, out)?;
            }
        } else {
            match plan.write(&*surroundings.registry) {
                Ok(outcome) => line!(out, "{}: {}", plan.browser, describe_outcome(plan, &outcome))?,
                // One that cannot be served must not keep the others from it.
                Err(error) => {
                    line!(out, "{}: failed: {error}", plan.browser)?;
                    failure.get_or_insert(error);
                }
            }
        }
        if let Some(id) = &plan.flatpak {
            line!(
                out,
                "  It reaches programs outside of its sandbox once you allow it to: {}",
                permission(id)
            )?;
        }
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// The command that lets a Flatpak start programs outside of it.
fn permission(id: &str) -> String {
    format!(
        "flatpak override --user --talk-name=org.freedesktop.Flatpak {}",
        shell_word(id)
    )
}

/// Where a plan's manifests lie, or the key that names them.
fn places(plan: &Plan) -> String {
    if let Some((hive, key)) = &plan.key {
        return install::plan::key_name(*hive, key);
    }
    let paths: Vec<_> = plan
        .manifests
        .iter()
        .map(|manifest| manifest.path.display().to_string())
        .collect();
    paths.join(" and ")
}

fn describe_outcome(plan: &Plan, outcome: &Outcome) -> String {
    let done = if outcome.changed.is_empty() {
        "has it already, in"
    } else {
        "wrote"
    };
    let notes = if outcome.notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", outcome.notes.join("; "))
    };
    format!("{done} {}{notes}", places(plan))
}

fn show(plan: &Plan, out: &mut impl Write) -> Result<(), CliError> {
    for manifest in &plan.manifests {
        line!(out, "{}", manifest.path.display())?;
        for text in manifest.content.lines() {
            line!(out, "{text}")?;
        }
        if let Some(wrapper) = &manifest.wrapper {
            line!(out, "{}", wrapper.path.display())?;
            for text in wrapper.content.lines() {
                line!(out, "{text}")?;
            }
        }
    }
    line!(out, "")?;
    Ok(())
}

pub(super) fn uninstall(command: &Uninstall, out: &mut impl Write) -> Result<(), CliError> {
    let program = env::current_exe().map_err(CliError::Program)?;
    uninstall_from(command, &Surroundings::find(), &program, out)
}

fn uninstall_from(
    command: &Uninstall,
    surroundings: &Surroundings,
    program: &Path,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let target = &command.target;
    let scope = target.scope();
    let plans = |name: Option<&str>| -> Result<Vec<Plan>, InstallError> {
        let mut browsers = browsers::named(name, &scope, surroundings.system)?;
        browsers.retain(|browser| browser.cannot().is_none());
        install::plan(&browsers, &scope, surroundings, program)
    };
    let name = target.browser.as_deref().filter(|name| *name != "all");
    let all = plans(None)?;
    let mut failure = None;
    let mut silent = true;
    let mut removed = BTreeSet::new();
    for plan in plans(name)? {
        let outcome = plan.remove(&*surroundings.registry, &all, &removed, !target.dry_run);
        let mut outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                line!(out, "{}: failed: {error}", plan.browser)?;
                failure.get_or_insert(error);
                continue;
            }
        };
        // A file that several browsers read is removed once.
        outcome.changed.retain(|path| removed.insert(path.clone()));
        let mut parts: Vec<String> = Vec::new();
        if !outcome.changed.is_empty() {
            let paths: Vec<_> = outcome
                .changed
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            let done = if target.dry_run { "would remove" } else { "removed" };
            // Of all browsers each tells its own.
            let shared = name.map(|_| readers(&plan, &all)).unwrap_or_default();
            parts.push(format!("{done} {}{shared}", paths.join(" and ")));
        }
        parts.extend(outcome.notes);
        if parts.is_empty() {
            if name.is_none() {
                continue;
            }
            parts.push(format!("nothing at {}", places(&plan)));
        }
        silent = false;
        line!(out, "{}: {}", plan.browser, parts.join("; "))?;
    }
    if silent && failure.is_none() {
        line!(out, "no browser had a host registered")?;
    }
    if command.copy {
        if failure.is_some() {
            // An error of the copy would hide the one that came before.
            if let Ok(copy) = copy::path(surroundings)
                && copy::is_there(&copy).is_ok_and(|is_there| is_there)
            {
                line!(out, "left {}, for a browser may still start it", copy.display())?;
            }
        } else {
            remove_copy(command, surroundings, program, &removed, out)?;
        }
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// Removes the copy unless a browser still starts it. `gone`: what is removed already, or would be.
fn remove_copy(
    command: &Uninstall,
    surroundings: &Surroundings,
    program: &Path,
    gone: &BTreeSet<PathBuf>,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let copy = copy::path(surroundings)?;
    let shown = copy.display();
    if !copy::is_there(&copy)? {
        return Ok(());
    }
    for scope in [Scope::User, Scope::System] {
        let mut browsers = browsers::named(None, &scope, surroundings.system)?;
        browsers.retain(|browser| browser.cannot().is_none());
        let plans = install::plan(&browsers, &scope, surroundings, program)?;
        let starts = |plan: &&Plan| plan.starts(&copy, &*surroundings.registry, gone);
        if let Some(plan) = plans.iter().find(starts) {
            let target = &command.target;
            let is_for_some =
                target.browser.as_deref().is_some_and(|name| name != "all") || target.user_data_dir.is_some();
            let fix = match scope {
                Scope::System => "run `idb-relay uninstall --system` as an administrator first",
                _ if is_for_some => "run `idb-relay uninstall --copy` with no other option",
                _ => "see what that is for, remove it, and run this again",
            };
            let (browser, place) = (&plan.browser, places(plan));
            line!(
                out,
                "left {shown}, which {browser} still starts by {place}; to remove it, {fix}"
            )?;
            return Ok(());
        }
    }
    if command.target.dry_run {
        line!(out, "would remove {shown}")?;
    } else if copy::remove(&copy, program)? {
        line!(out, "removed {shown}")?;
    }
    Ok(())
}

/// Which other browsers read the same place.
fn readers(plan: &Plan, all: &[Plan]) -> String {
    let is_shared = |other: &Plan| {
        let same_path = other
            .manifests
            .iter()
            .any(|theirs| plan.manifests.iter().any(|ours| ours.path == theirs.path));
        if plan.key.is_some() {
            other.key == plan.key
        } else {
            same_path
        }
    };
    let titles: Vec<_> = all
        .iter()
        .filter(|other| other.browser != plan.browser && is_shared(other))
        .map(|other| other.browser.as_str())
        .collect();
    if titles.is_empty() {
        String::new()
    } else {
        format!(" (which {} read, too)", titles.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::{directories::System, install::testing::Machine};

    #[test]
    fn help_lists_the_browsers_of_the_table() {
        let command = super::super::Arguments::command();
        let install = command.find_subcommand("install").expect("a command");
        let mut arguments = install.get_arguments();
        let browser = arguments
            .find(|argument| argument.get_id() == "browser")
            .expect("an option");
        let help = browser.get_help().expect("text").to_string();
        let listed: Vec<_> = help
            .split(", ")
            .map(|name| name.trim_start_matches("or "))
            .collect();
        for system in [System::Xdg, System::Apple, System::Windows] {
            for one in browsers::all(system).expect("a list") {
                assert!(
                    listed.contains(&one.name.as_str()),
                    "{} is not in {help}",
                    one.name
                );
            }
        }
        assert_eq!(listed.len(), 20, "19 browsers, and all of them");
    }

    /// What `uninstall` prints, and whether it succeeds.
    fn uninstalled(machine: &Machine, browser: Option<&str>, dry_run: bool) -> (String, bool) {
        let command = Uninstall {
            target: Target {
                browser: browser.map(str::to_owned),
                system: false,
                user_data_dir: None,
                dry_run,
            },
            copy: true,
        };
        let mut out = Vec::new();
        let program = machine.path("Downloads/idb-relay");
        let done = uninstall_from(&command, &machine.surroundings(), &program, &mut out);
        (String::from_utf8(out).expect("UTF-8"), done.is_ok())
    }

    /// Makes the copy, and tells these browsers of it.
    fn copied(machine: &Machine, system: System, names: &[&str]) -> PathBuf {
        let surroundings = machine.surroundings();
        let copy = copy::path(&surroundings).expect("a home");
        copy::write(&machine.file("Downloads/idb-relay"), &copy).expect("written");
        for name in names {
            let browsers = browsers::named(Some(name), &Scope::User, system).expect("a list");
            for plan in install::plan(&browsers, &Scope::User, &surroundings, &copy).expect("plans") {
                if !plan.manifests.is_empty() {
                    plan.write(&*surroundings.registry).expect("written");
                }
            }
        }
        copy
    }

    #[test]
    fn uninstall_leaves_copy_that_another_browser_starts() {
        for system in [System::Xdg, System::Apple, System::Windows] {
            let machine = Machine::new(system);
            let copy = copied(&machine, system, &["firefox", "chromium"]);
            for dry_run in [true, false] {
                let (printed, _) = uninstalled(&machine, Some("firefox"), dry_run);
                let left = format!("left {}, which Chromium", copy.display());
                assert!(printed.contains(&left) && copy.exists(), "{printed}");
                assert!(printed.contains("with no other option"), "{printed}");
            }
            let (printed, _) = uninstalled(&machine, None, true);
            let last = format!("would remove {}\n", copy.display());
            assert!(printed.ends_with(&last) && copy.exists(), "{printed}");
            let (printed, is_done) = uninstalled(&machine, None, false);
            assert!(is_done && !copy.exists(), "{printed}");
        }
    }

    #[test]
    fn uninstall_leaves_copy_when_a_browser_failed() {
        let machine = Machine::new(System::Xdg);
        let copy = copied(&machine, System::Xdg, &["vivaldi"]);
        // A manifest that cannot be read.
        let place = "home/.config/chromium/NativeMessagingHosts/dev.idb_relay.host.json";
        machine.directory(place);
        let (printed, is_done) = uninstalled(&machine, None, false);
        assert!(printed.contains("Chromium: failed:"), "{printed}");
        assert!(!is_done && copy.exists(), "{printed}");
    }
}

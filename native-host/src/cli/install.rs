//! `idb-relay install` and `idb-relay uninstall`.

use std::{env, io::Write, path::PathBuf};

use clap::Args;

use super::CliError;
use crate::{
    install::{self, browsers, browsers::Scope},
    output::line,
};

/// Tell browsers where this program is
///
/// Browsers start a native host only if a manifest file in a directory of theirs names it. Without
/// --browser the browsers that you have run are served; if none is found, all that are known. Run
/// it again after moving the program.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  idb-relay install                                  for your browsers\n  \
    idb-relay install --browser firefox --dry-run      show what would be written\n  \
    idb-relay install --browser chromium --user-data-dir /tmp/profile\n  \
    sudo idb-relay install --system --browser all      for everybody"
)]
pub(super) struct Install {
    #[command(flatten)]
    target: Target,
}

/// Remove what install has told browsers
///
/// Takes the options of install and removes the files that it would write. Journals and
/// configuration stay.
#[derive(Debug, Args)]
pub(super) struct Uninstall {
    #[command(flatten)]
    target: Target,
}

// Not a doc comment: clap would take it for the text about the command that flattens it.
#[derive(Debug, Args)]
struct Target {
    /// chromium, chrome, chrome-beta, brave, edge, firefox, or all
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
    fn plans(&self) -> Result<Vec<install::Plan>, CliError> {
        let scope = match (&self.user_data_dir, self.system) {
            (Some(directory), _) => Scope::Directory(directory.clone()),
            (None, true) => Scope::System,
            (None, false) => Scope::User,
        };
        let browsers = browsers::chosen(self.browser.as_deref())?;
        let program = env::current_exe().map_err(CliError::Program)?;
        Ok(install::plan(&browsers, &scope, &program)?)
    }
}

pub(super) fn install(Install { target }: &Install, out: &mut impl Write) -> Result<(), CliError> {
    for plan in target.plans()? {
        if target.dry_run {
            line!(out, "{}: would write {}", plan.browser, plan.path.display())?;
            for text in plan.content.lines() {
                line!(out, "{text}")?;
            }
            line!(out, "")?;
        } else {
            plan.write()?;
            line!(out, "{}: wrote {}", plan.browser, plan.path.display())?;
        }
    }
    Ok(())
}

pub(super) fn uninstall(Uninstall { target }: &Uninstall, out: &mut impl Write) -> Result<(), CliError> {
    for plan in target.plans()? {
        if target.dry_run {
            line!(out, "{}: would remove {}", plan.browser, plan.path.display())?;
        } else if plan.remove()? {
            line!(out, "{}: removed {}", plan.browser, plan.path.display())?;
        } else {
            line!(out, "{}: nothing at {}", plan.browser, plan.path.display())?;
        }
    }
    Ok(())
}

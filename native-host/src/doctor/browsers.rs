//! Whether the browsers know this host: the manifest in a directory of each.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{Check, Verdict};
use crate::{
    failure::Failure as _,
    install::{
        self, InstallError, Plan,
        browsers::{Browser, Scope, all},
    },
};

const AREA: &str = "browser";

/// What matters of a manifest.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Manifest {
    path: PathBuf,
    #[serde(default)]
    allowed_origins: Vec<String>,
    #[serde(default)]
    allowed_extensions: Vec<String>,
}

pub(super) fn examine() -> Vec<Check> {
    let look = || -> Result<Vec<Check>, InstallError> {
        let present: Vec<Browser> = all()?.into_iter().filter(Browser::is_present).collect();
        let program = env::current_exe().unwrap_or_default();
        present.iter().map(|browser| check(browser, &program)).collect()
    };
    let mut checks = match look() {
        Ok(checks) => checks,
        Err(error) => return vec![Check::problem(AREA, error.to_string(), error.fix())],
    };
    if checks.is_empty() {
        checks.push(Check::note(
            AREA,
            "none that this user has run is known",
            "Start a browser once, then run `idb-relay install`; or name one: `idb-relay install --browser chromium`.",
        ));
    }
    // Who has several browsers need not capture in each.
    if checks.iter().any(|check| check.verdict == Verdict::Ok) {
        for check in checks.iter_mut().filter(|check| check.message.ends_with(UNKNOWN)) {
            check.verdict = Verdict::Note;
        }
    }
    checks
}

const UNKNOWN: &str = "does not know this host";

fn check(browser: &Browser, program: &Path) -> Result<Check, InstallError> {
    let title = &browser.title;
    let again = format!("Run `idb-relay install --browser {}`.", browser.name);
    // A user's own manifest hides the system's.
    for scope in [Scope::User, Scope::System] {
        for plan in install::plan(std::slice::from_ref(browser), &scope, program)? {
            let Ok(text) = fs::read_to_string(&plan.path) else {
                continue;
            };
            return Ok(match verdict(&text, &plan, program) {
                Ok(message) => Check::ok(AREA, format!("{title}: {message}")),
                Err((Verdict::Note, message)) => Check::note(AREA, format!("{title}: {message}"), again),
                Err((_, message)) => Check::problem(AREA, format!("{title}: {message}"), again),
            });
        }
    }
    Ok(Check::problem(AREA, format!("{title} {UNKNOWN}"), again))
}

/// What a manifest that was found is worth, beside the one that `install` would write.
fn verdict(found: &str, plan: &Plan, program: &Path) -> Result<String, (Verdict, String)> {
    let at = plan.path.display();
    let problem = |message: String| (Verdict::Problem, message);
    let manifest: Manifest =
        serde_json::from_str(found).map_err(|error| problem(format!("{at} is no host manifest: {error}")))?;
    let wanted: Manifest = serde_json::from_str(&plan.content)
        .map_err(|error| problem(format!("this build's manifest is broken: {error}")))?;
    let allowed = |wanted: &[String], found: &[String]| wanted.iter().all(|id| found.contains(id));
    if !allowed(&wanted.allowed_origins, &manifest.allowed_origins)
        || !allowed(&wanted.allowed_extensions, &manifest.allowed_extensions)
    {
        return Err(problem(format!(
            "{at} does not let this extension start the host"
        )));
    }
    if !is_executable(&manifest.path) {
        return Err(problem(format!(
            "{at} names {}, which cannot be started",
            manifest.path.display()
        )));
    }
    let same = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if same(&manifest.path) != same(program) {
        return Err((
            Verdict::Note,
            format!("starts {}, not this program", manifest.path.display()),
        ));
    }
    Ok(format!("starts this program ({at})"))
}

fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    let executable = |metadata: &fs::Metadata| {
        std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0
    };
    #[cfg(not(unix))]
    let executable = |_: &fs::Metadata| true;
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && executable(&metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_manifest_is_named() {
        let program = env::current_exe().expect("a path");
        let content = install::manifest::host("chromium", &program).expect("a manifest");
        let plan = Plan {
            browser: "Chromium".to_owned(),
            path: "/etc/m.json".into(),
            content: content.clone(),
        };
        let of = |text: &str| verdict(text, &plan, &program);
        assert!(of(&content).is_ok());
        let problem = |text: &str, part: &str| {
            let (verdict, message) = of(text).expect_err("trouble");
            assert_eq!(verdict, Verdict::Problem);
            assert!(message.contains(part), "{message}");
        };
        problem("{", "no host manifest");
        problem(
            &content.replace("chrome-extension://", "chrome-extension://x"),
            "this extension",
        );
        let elsewhere = |path: &str| content.replace(&program.display().to_string(), path);
        problem(&elsewhere("/no/such/program"), "cannot be started");
        let (verdict, message) = of(&elsewhere("/bin/sh")).expect_err("another program");
        assert_eq!(verdict, Verdict::Note);
        assert!(message.contains("/bin/sh"), "{message}");
    }
}

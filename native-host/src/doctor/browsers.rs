//! Whether the browsers know this host: the manifest in a directory of each, or the one that its
//! registry key names.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use protocol::shown::shell_word;

use super::{Check, Verdict};
use crate::{
    failure::Failure as _,
    install::{
        self, InstallError, Plan,
        browsers::{Browser, Presence, Scope, all},
        manifest::WRAPPER,
        plan::{Manifest, Said, key_name},
        registry::Value,
        surroundings::Surroundings,
    },
};

const AREA: &str = "browser";

pub(super) fn examine() -> Vec<Check> {
    let surroundings = Surroundings::find();
    let look = || -> Result<Vec<Check>, InstallError> {
        let program = env::current_exe().unwrap_or_default();
        let mut checks = Vec::new();
        for browser in all(surroundings.system)? {
            let presence = browser.presence(&surroundings);
            if presence > Presence::Absent {
                checks.push(check(&browser, presence, &surroundings, &program)?);
            }
        }
        Ok(checks)
    };
    let mut checks = match look() {
        Ok(checks) => checks,
        Err(error) => return vec![Check::problem(AREA, error.to_string(), error.fix())],
    };
    if checks.is_empty() {
        checks.push(Check::note(
            AREA,
            "none that is known was found",
            "Install a browser, then run `idb-relay install`; or name one: `idb-relay install --browser chromium`.",
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

fn check(
    browser: &Browser,
    presence: Presence,
    surroundings: &Surroundings,
    program: &Path,
) -> Result<Check, InstallError> {
    let title = &browser.title;
    if let Some(why) = browser.cannot() {
        return Ok(Check::note(
            AREA,
            format!("{title} cannot start the host: {why}"),
            "Nothing to do if you do not capture in it; else install this browser by another package.",
        ));
    }
    let again = format!("Run `idb-relay install --browser {}`.", browser.name);
    // A user's own manifest hides the system's.
    let scopes: &[Scope] = if browser.is_sandboxed() {
        &[Scope::User]
    } else {
        &[Scope::User, Scope::System]
    };
    for scope in scopes {
        for plan in install::plan(std::slice::from_ref(browser), scope, surroundings, program)? {
            let (path, text) = match found(&plan, surroundings) {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(message) => return Ok(Check::problem(AREA, format!("{title}: {message}"), again)),
            };
            let Some(manifest) = plan.manifests.first() else {
                continue;
            };
            // `install` makes another beside it if a registry key names it elsewhere.
            let is_foreign = plan.manifests.iter().any(|one| one.path == path) && is_foreign(&text, manifest);
            let again = if is_foreign {
                InstallError::Foreign(path.clone()).fix()
            } else {
                again
            };
            return Ok(match verdict(&text, &path, manifest, program) {
                Ok(message) => match permission(&plan, surroundings) {
                    Some(fix) => Check::note(
                        AREA,
                        format!("{title}: {message}; its sandbox lets it start no program outside"),
                        fix,
                    ),
                    None => Check::ok(AREA, format!("{title}: {message}")),
                },
                Err((Verdict::Note, message)) => Check::note(AREA, format!("{title}: {message}"), again),
                Err((_, message)) => Check::problem(AREA, format!("{title}: {message}"), again),
            });
        }
    }
    let message = format!("{title} {UNKNOWN}");
    Ok(if presence == Presence::Used {
        Check::problem(AREA, message, again)
    } else {
        // What was never started has no extension that could miss the host.
        Check::note(AREA, message, again)
    })
}

/// The manifest that a browser finds, and what it says.
fn found(plan: &Plan, surroundings: &Surroundings) -> Result<Option<(PathBuf, String)>, String> {
    let Some((hive, key)) = &plan.key else {
        return Ok(plan.manifests.iter().find_map(|manifest| {
            let text = fs::read_to_string(&manifest.path).ok()?;
            Some((manifest.path.clone(), text))
        }));
    };
    let shown = key_name(*hive, key);
    match surroundings.registry.read(*hive, key) {
        Err(error) => Err(format!("the registry key {shown} cannot be read: {error}")),
        Ok(None) => Ok(None),
        Ok(Some(Value::Other)) => Err(format!("the registry key {shown} is not a string")),
        Ok(Some(Value::Text(path))) => match fs::read_to_string(&path) {
            Ok(text) => Ok(Some((PathBuf::from(path), text))),
            Err(error) => Err(format!("{shown} names {path}, which cannot be read: {error}")),
        },
    }
}

/// Whether `install` refuses to replace a manifest.
fn is_foreign(found: &str, plan: &Manifest) -> bool {
    let wanted = serde_json::from_str::<Said>(&plan.content);
    match (serde_json::from_str::<Said>(found), wanted) {
        (Ok(found), Ok(wanted)) => !found.allows(&wanted),
        // No JSON at all belongs to no program.
        _ => serde_json::from_str::<serde_json::Value>(found).is_ok(),
    }
}

/// What a manifest that was found is worth, beside the one that `install` would write.
fn verdict(found: &str, path: &Path, plan: &Manifest, program: &Path) -> Result<String, (Verdict, String)> {
    let at = path.display();
    let problem = |message: String| (Verdict::Problem, message);
    let manifest: Said =
        serde_json::from_str(found).map_err(|error| problem(format!("{at} is no host manifest: {error}")))?;
    let wanted: Said = serde_json::from_str(&plan.content)
        .map_err(|error| problem(format!("this build's manifest is broken: {error}")))?;
    if !manifest.allows(&wanted) {
        return Err(problem(format!(
            "{at} does not let this extension start the host"
        )));
    }
    if !is_executable(&manifest.path) {
        let place = program.display();
        let named = manifest.path.display();
        return Err(problem(if manifest.path.exists() {
            format!("{at} names {named}, which cannot be started")
        } else {
            format!("{at} names {named}, which is not there; this program is {place}: was it moved?")
        }));
    }
    let same = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let note = |started: String| {
        (
            Verdict::Note,
            format!("starts {started}, not this program ({at})"),
        )
    };
    if let Some(wrapper) = &plan.wrapper {
        let text = fs::read_to_string(&manifest.path).unwrap_or_default();
        if text != wrapper.content {
            let started = manifest.path.display();
            return Err(note(match text.strip_prefix(WRAPPER) {
                Some(_) => format!("by {started} another copy"),
                None => started.to_string(),
            }));
        }
    } else if same(&manifest.path) != same(program) {
        return Err(note(manifest.path.display().to_string()));
    }
    Ok(format!("starts this program ({at})"))
}

/// What to do so that a Flatpak may start programs outside of it, if it may not yet.
fn permission(plan: &Plan, surroundings: &Surroundings) -> Option<String> {
    let id = plan.flatpak.as_ref()?;
    let places = [
        format!("{{data}}/flatpak/overrides/{id}"),
        "{data}/flatpak/overrides/global".to_owned(),
        format!("/var/lib/flatpak/overrides/{id}"),
        "/var/lib/flatpak/overrides/global".to_owned(),
    ];
    let is_allowed = places
        .iter()
        .filter_map(|path| fs::read_to_string(surroundings.resolve(path)?).ok())
        .any(|text| {
            text.lines()
                .any(|line| line.trim() == "org.freedesktop.Flatpak=talk")
        });
    (!is_allowed).then(|| {
        format!(
            "Run `flatpak override --user --talk-name=org.freedesktop.Flatpak {}`. It lets this browser start any program \
             outside of its sandbox.",
            shell_word(id)
        )
    })
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
    #[cfg_attr(windows, ignore = "it has paths of Unix")]
    fn what_is_wrong_with_a_manifest_is_named() {
        let program = env::current_exe().expect("a path");
        let content = install::manifest::host("chromium", &program).expect("a manifest");
        let plan = Manifest {
            path: "/etc/m.json".into(),
            content: content.clone(),
            wrapper: None,
        };
        let of = |text: &str| verdict(text, &plan.path, &plan, &program);
        assert!(of(&content).is_ok());
        let problem = |text: &str, part: &str| {
            let (verdict, message) = of(text).expect_err("trouble");
            assert_eq!(verdict, Verdict::Problem);
            assert!(message.contains(part), "{message}");
        };
        problem("{", "no host manifest");
        assert!(!is_foreign("{", &plan) && !is_foreign(&content, &plan));
        assert!(is_foreign("[]", &plan));
        assert!(is_foreign(
            &content.replace("chrome-extension://", "chrome-extension://x"),
            &plan
        ));
        problem(
            &content.replace("chrome-extension://", "chrome-extension://x"),
            "this extension",
        );
        let elsewhere = |path: &str| content.replace(&program.display().to_string(), path);
        problem(&elsewhere("/no/such/program"), "was it moved?");
        problem(&elsewhere("/etc"), "cannot be started");
        let (verdict, message) = of(&elsewhere("/bin/sh")).expect_err("another program");
        assert_eq!(verdict, Verdict::Note);
        assert!(message.contains("/bin/sh"), "{message}");
    }
}

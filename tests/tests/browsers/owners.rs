//! Two browsers on one site, with one configuration: whose values Memcached holds.

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig, artifacts,
    browser::{Kind, Launch, Page, Profile},
    observe, pages,
    panel::Panel,
    wait::{self, PATIENCE, Seen},
};
use serde_json::Value;

const PAGE: &str = "/writer/";

/// What `status` says of Memcached, and the id, of the profile of this browser.
fn sink(rig: &Rig, kind: Kind) -> Result<(String, Value)> {
    let status = rig.relay.run_json(&["status", "--json"])?;
    let browser = |profile: &&Value| {
        profile["browser"]
            .as_str()
            .is_some_and(|browser| browser.starts_with(kind.name()))
    };
    let profiles = status["profiles"].as_array().context("no profiles")?;
    let profile = profiles.iter().find(browser).context("no such browser")?;
    let id = profile["profile"].as_str().context("no id")?.to_owned();
    Ok((id, profile["sinks"]["memcached"].clone()))
}

fn await_state(rig: &Rig, kind: Kind, state: &str) -> Result<String> {
    wait::until(&format!("{} to be {state}", kind.name()), PATIENCE, || {
        Ok(match sink(rig, kind) {
            Ok((id, sink)) if sink["state"] == state && sink["behind"] == 0 => Seen::Ready(id),
            other => Seen::Not(format!("{other:?}")),
        })
    })
}

fn verify(rig: &Rig, profile: &str) -> Result<(Option<i32>, String)> {
    let output = rig.relay.command(&["verify", "--profile", profile]).output()?;
    Ok((output.status.code(), String::from_utf8(output.stdout)?))
}

fn is_right(rig: &Rig, page: &Page<'_>) -> Result<()> {
    observe::converged(page, &rig.site.origin(), &rig.memcached).map(|_| ())
}

fn one_of_two_browsers_owns_a_site(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let other = match kind {
        Kind::Chromium => Kind::Firefox,
        Kind::Firefox => Kind::Chromium,
    };
    let url = rig.site.url(PAGE);
    let browser = rig.browser()?;
    let page = browser.open(&url)?;
    page.evaluate("put('both', 'first').then(() => put('mine', 'first'))")?;
    is_right(&rig, &page)?;

    let profile = Profile::new(other)?;
    rig.relay.register(&profile)?;
    let second = profile.start(&Launch {
        extension: Some(artifacts::extension(other)?),
        environment: rig.relay.environment(),
        ..Launch::default()
    })?;
    second.ready_to_capture()?;
    let theirs = second.open(&url)?;
    theirs.evaluate("put('both', 'second').then(() => put('theirs', 'second'))")?;
    let first_id = await_state(&rig, kind, "running")?;
    let second_id = await_state(&rig, other, "not_owner")?;
    is_right(&rig, &page)?;
    // Both are published, each under its own profile.
    let text = format!(
        "{:?}",
        rig.stream()?.iter().map(observe::Event::line).collect::<Vec<_>>()
    );
    ensure!(text.contains("theirs") && text.contains("mine"), "{text}");

    // It is said wherever a person looks.
    let owned = format!("owned by profile {first_id}");
    ensure!(
        rig.relay.run(&["status"])?.contains(&owned),
        "status does not say so"
    );
    let doctor = rig.relay.command(&["doctor"]).output()?;
    ensure!(
        String::from_utf8(doctor.stdout)?.contains(&owned),
        "the doctor does not say so"
    );
    let popup = pages::popup(&second, &url)?;
    popup.wait_for(&format!("document.body.textContent.includes({owned:?})"))?;
    pages::button(&popup, "!", &owned)?;
    popup.close()?;
    let panel = Panel::of(&second, &url)?;
    panel.wait_for("$('.health').textContent.includes('not_owner')")?;

    // The owner's values are right for it, and no others are for the second one.
    let (code, said) = verify(&rig, &first_id)?;
    ensure!(code == Some(0), "{said}");
    let (code, said) = verify(&rig, &second_id)?;
    ensure!(
        code == Some(1) && said.contains("2 records held by another profile"),
        "{said}"
    );

    // And it can be otherwise.
    rig.relay
        .run(&["own", "--origin", &rig.site.origin(), "--profile", &second_id])?;
    await_state(&rig, kind, "not_owner")?;
    await_state(&rig, other, "running")?;
    is_right(&rig, &theirs)?;
    page.evaluate("put('late', 'first')")?;
    theirs.evaluate("put('both', 'again')")?;
    is_right(&rig, &theirs)?;
    await_state(&rig, kind, "not_owner")?;
    is_right(&rig, &theirs)
}

lab::in_both_browsers!(one_of_two_browsers_owns_a_site);

//! After any crash on the way: nothing is lost, nothing is twice in the stream, the order is kept,
//! and Memcached is equal in the end.

use anyhow::{Result, ensure};
use lab::{
    Rig,
    browser::Kind,
    observe::{Event, checks},
};
use serde_json::json;

const PAGE: &str = "/writer/";

/// The page creates its store with its first write.
const CREATED: &str = r#"s writer/items {"create_store":{"auto_increment":false,"key_path":null}}"#;

/// The lines of `count(0, to)` in a new database.
fn counted(to: u32) -> Vec<String> {
    let mut lines = vec![CREATED.to_owned()];
    lines.extend(counted_on(0, to));
    lines
}

/// The lines of `count(from, to)` with none of these numbers in the store.
fn counted_on(from: u32, to: u32) -> impl Iterator<Item = String> {
    (from..to).map(|number| format!("c writer/items {number} {number}"))
}

fn host_killed_between_commits(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("void (window.counting = count(0, 1000))")?;
    for events in [1, 200, 400] {
        rig.stream_of(events)?;
        rig.relay.kill_host()?;
    }
    page.evaluate("counting")?;
    let events = rig.settled(&page)?;
    checks::exactly(&events, &counted(1000))?;
    checks::numbered_without_gaps(&events)
}

fn redis_down_then_up(kind: Kind) -> Result<()> {
    let mut rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("count(0, 20)")?;
    rig.stream_of(1)?;
    rig.redis.kill()?;
    page.evaluate("count(20, 40)")?;
    // Memcached is kept up to date meanwhile.
    lab::observe::converged(&page, &rig.site.origin(), &rig.memcached)?;
    rig.redis.restart()?;
    rig.stream_of(41)?;
    page.evaluate("count(40, 60)")?;
    let events = rig.settled(&page)?;
    checks::exactly(&events, &counted(60))?;
    checks::numbered_without_gaps(&events)
}

fn redis_killed_while_it_is_written_to(kind: Kind) -> Result<()> {
    let mut rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("void (window.counting = count(0, 1000))")?;
    for events in [1, 200, 400] {
        rig.stream_of(events)?;
        rig.redis.kill()?;
        rig.redis.restart()?;
    }
    page.evaluate("counting")?;
    let events = rig.settled(&page)?;
    checks::exactly(&events, &counted(1000))?;
    checks::numbered_without_gaps(&events)
}

fn memcached_down_then_up(kind: Kind) -> Result<()> {
    let mut rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("count(0, 20)")?;
    lab::observe::converged(&page, &rig.site.origin(), &rig.memcached)?;
    rig.memcached.kill()?;
    page.evaluate("put(3, 'changed meanwhile').then(() => remove(4)).then(() => count(20, 40))")?;
    // Redis is kept up to date meanwhile.
    rig.stream_of(43)?;
    rig.memcached.restart()?;
    page.evaluate("count(40, 60)")?;
    let events = rig.settled(&page)?;
    let mut expected = counted(20);
    expected.push(r#"u writer/items 3 "changed meanwhile""#.to_owned());
    expected.push("d writer/items 4".to_owned());
    expected.extend(counted_on(20, 60));
    checks::exactly(&events, &expected)?;
    Ok(())
}

fn memcached_restarted_while_all_is_quiet(kind: Kind) -> Result<()> {
    let mut rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("count(0, 20)")?;
    rig.settled(&page)?;
    rig.memcached.restart()?;
    checks::exactly(&rig.settled(&page)?, &counted(20))
}

fn browser_killed_right_after_a_commit(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("count(0, 20)")?;
    rig.stream_of(21)?;
    page.evaluate("put('last', 'words').then(() => remove(7))")?;
    browser.kill()?;

    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let events = rig.settled(&page)?;
    checks::exactly(&events[..21], &counted(20))?;
    // Observed, or found by the snapshot that the page load takes: once in any case.
    let about = |key: serde_json::Value| {
        events[21..]
            .iter()
            .filter(move |event| event.json()["key"] == key)
            .count()
    };
    assert_eq!((about(json!("last")), about(json!(7)), events.len()), (1, 1, 23));
    checks::numbered_without_gaps(&events)
}

fn browser_closed_right_after_a_commit(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("count(0, 20)")?;
    rig.stream_of(21)?;
    page.evaluate("put('last', 'words')")?;
    browser.quit()?;

    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let events = rig.settled(&page)?;
    checks::exactly(&events[..21], &counted(20))?;
    // A browser that closes may end the extension before the commit has crossed its processes: then
    // the page load's snapshot finds it. Once in any case.
    let last: Vec<_> = events[21..].iter().map(Event::line).collect();
    ensure!(
        ["c", "r"]
            .map(|op| vec![format!(r#"{op} writer/items "last" "words""#)])
            .contains(&last),
        "{last:?}"
    );
    checks::numbered_without_gaps(&events)
}

fn page_left_in_a_burst_of_commits(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("count(0, 1)")?;
    page.evaluate(
        "void Promise.all(Array.from({ length: 49 }, (_, n) => put(n + 1, n + 1))).then(() => { location.href = '/blank/'; })",
    )?;
    page.wait_for("location.pathname === '/blank/'")?;
    checks::exactly(&rig.settled(&page)?, &counted(50))
}

fn page_closed_while_the_host_is_stuck(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let stays = browser.open(&rig.site.url("/blank/"))?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("count(0, 20)")?;
    rig.stream_of(21)?;
    rig.relay.freeze_host()?;
    page.evaluate("count(20, 40)")?;
    page.close()?;
    rig.relay.thaw_host()?;
    checks::exactly(&rig.settled(&stays)?, &counted(40))
}

fn page_left_in_the_moment_of_a_commit(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("count(0, 20)")?;
    page.evaluate("void put('last', 'words').then(() => { location.href = '/blank/'; })")?;
    page.wait_for("location.pathname === '/blank/'")?;
    let events = rig.settled(&page)?;
    let mut expected = counted(20);
    expected.push(r#"c writer/items "last" "words""#.to_owned());
    checks::exactly(&events, &expected)?;
    Ok(())
}

lab::in_both_browsers!(
    host_killed_between_commits,
    redis_down_then_up,
    redis_killed_while_it_is_written_to,
    memcached_down_then_up,
    memcached_restarted_while_all_is_quiet,
    browser_killed_right_after_a_commit,
    page_left_in_a_burst_of_commits,
    page_closed_while_the_host_is_stuck,
    browser_closed_right_after_a_commit,
    page_left_in_the_moment_of_a_commit,
);

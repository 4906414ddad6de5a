//! The inspector's panel, in real browsers, with what really happens.
//!
//! Each state leaves pictures in `target/panel/`, for people to look at.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
};

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Key, Kind, Page},
    panel::Panel,
};
use serde_json::{Value, json};

const WRITER: &str = "/writer/";

/// All events in sight have reached Memcached.
const ARRIVED: &str = "$$('.row [data-stage=memcached]').every((stage) => stage.dataset.state === 'passed')";

fn each_write_is_shown_on_its_way(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    let panel = Panel::of(&browser, &url)?;
    let picture = |name: &str| panel.picture(&format!("{name}-{}", kind.name()));
    panel.page.resize(1280, 800)?;
    panel.wait_for("$('[data-why=quiet]') !== null")?;
    picture("empty-quiet")?;

    page.evaluate("put('a', { name: 'Ada', born: new Date(0), tags: new Set(['x']) })")?;
    page.evaluate(
        "together([['b', { name: 'Bob' }], ['a', { name: 'Ada', tags: new Set(['y']) }], ['c', 7]])",
    )?;
    page.evaluate("remove('c')")?;
    panel.wait_for_lines(6)?;
    panel.wait_for(ARRIVED)?;
    assert_eq!(
        panel.lines()?,
        [
            "schema writer › items ",
            r#"create writer › items "a""#,
            r#"create writer › items "b""#,
            r#"update writer › items "a""#,
            r#"create writer › items "c""#,
            r#"delete writer › items "c""#,
        ]
    );
    // The bracket around the transaction, and how many are in it.
    let brackets = panel.evaluate("$$('.row').map((row) => row.dataset.bracket)")?;
    assert_eq!(
        brackets,
        json!(["alone", "alone", "first", "middle", "last", "alone"])
    );
    assert_eq!(panel.text(".row em:not([hidden])")?, "3 in one transaction");
    let stages = panel.evaluate(
        "[...$$('.row')[1].querySelectorAll('.strip i')].map((stage) => [stage.dataset.stage, stage.dataset.state, /^[0-9.smh]*$/.test(stage.textContent)])",
    )?;
    assert_eq!(
        stages,
        json!([
            ["captured", "passed", true],
            ["journal", "passed", true],
            ["redis", "passed", true],
            ["memcached", "passed", true]
        ])
    );
    assert_eq!(panel.text(".row .from")?, "page");
    panel.wait_for(
        "$('.health').textContent.includes('host 0.') && $$('.health .chip[data-state=ok]').length === 3",
    )?;
    panel.wait_for("/p50.*p95.*p99/.test($('.health .lag').textContent)")?;

    filters_narrow(&page, &panel)?;
    details_tell_everything(&rig, &page, &panel, &picture)?;
    keys_do_what_buttons_do(&panel, &picture)?;
    recordings_leave_and_come_back(&panel)
}

fn filters_narrow(page: &Page<'_>, panel: &Panel<'_>) -> Result<()> {
    let shows = |filter: &str, count: usize| -> Result<()> {
        panel.filter(filter)?;
        panel
            .wait_for(&format!(
                "$('.count').textContent.startsWith('{count} of 6 events')"
            ))
            .with_context(|| filter.to_owned())
    };
    shows("op:put", 4)?;
    shows("key:a -op:update", 1)?;
    shows("store:it* ada", 2)?;
    assert_eq!(panel.text(".row .preview mark")?, "Ada");
    assert_eq!(panel.evaluate("$$('.chips .term').length")?, json!(3));
    // A chip comes off when it is pressed.
    panel.click(".chips .term[aria-label='Remove ada']")?;
    panel.wait_for("$('#search').value === 'store:it*'")?;
    shows("stage:memcached op:delete", 1)?;
    shows("is:error", 0)?;
    panel.wait_for("$('[data-why=filter]') !== null")?;
    panel.press("Clear the filter")?;
    panel.wait_for_lines(6)?;
    // What makes no sense is named, and changes nothing: what comes is shown by the filter before
    // it.
    panel.filter("stor:x")?;
    panel.wait_for("$('#mistake').textContent.includes('store:')")?;
    assert_eq!(panel.evaluate("$('#search').ariaInvalid")?, json!("true"));
    page.evaluate("put('meanwhile', 1)")?;
    panel.wait_for_lines(7)?;
    panel.filter("")?;
    panel.wait_for("$('#mistake') === null && $('.count').textContent.startsWith('7 events')")?;
    panel.wait_for_lines(7)
}

fn details_tell_everything(
    rig: &Rig,
    page: &Page<'_>,
    panel: &Panel<'_>,
    picture: &impl Fn(&str) -> Result<()>,
) -> Result<()> {
    panel.evaluate("$$('.row')[3].click()")?;
    panel.wait_for("$('.details .verdict')?.dataset.state === 'ok'")?;
    let tree =
        panel.evaluate("$$('.tree li').map((line) => line.textContent.replace(/\\s+/g, ' ').trim())")?;
    assert_eq!(
        tree,
        json!(["▾Object", "name: \"Ada\"", "▾tags: Set(1)", "0: \"y\""])
    );
    let changes =
        panel.evaluate("$$('.changes tr').map((change) => change.textContent.replace(/\\s+/g, ' '))")?;
    let changes = changes.to_string();
    ensure!(
        changes.contains("−.born") && changes.contains(".tags"),
        "{changes}"
    );
    // What is copied is what the servers know.
    let key = panel.copied("[aria-label='Copy Memcached key']")?;
    let item = rig.memcached.get(&key)?.context("the item")?;
    let plain = panel.copied("[aria-label='Copy Plain value']")?;
    assert_eq!(String::from_utf8(item.value)?, plain);
    assert_eq!(plain, r#"{"name":"Ada","tags":["y"]}"#);
    assert_eq!(panel.copied("[aria-label='Copy key']")?, r#""a""#);
    assert_eq!(
        panel.copied("[aria-label='Copy value']")?,
        r#"{"name":"Ada","tags":{"$set":["y"]}}"#
    );
    let event: Value = serde_json::from_str(&panel.copied("[aria-label='Copy event as JSON']")?)?;
    assert_eq!(event["op"], "u");
    // Its entry in the stream, which only the server knows the name of.
    panel.wait_for("$('[aria-label=\"Copy Redis entry\"]') !== null")?;
    let entry = panel.copied("[aria-label='Copy Redis entry']")?;
    assert_eq!(
        panel.copied("[aria-label='Copy Redis command']")?,
        format!(
            "redis-cli -p {} XRANGE idb:events {entry} {entry}",
            rig.redis.port()
        )
    );
    let entries: redis::streams::StreamRangeReply = redis::cmd("XRANGE")
        .arg(&["idb:events", &entry, &entry])
        .query(&mut rig.redis.connect()?)?;
    let found: Value = serde_json::from_str(&entries.ids[0].get::<String>("event").context("an event")?)?;
    assert_eq!(found, event);
    let command = panel.copied("[aria-label='Copy Memcached command']")?;
    ensure!(
        command.ends_with(&format!("nc 127.0.0.1 {}", rig.memcached.port())),
        "{command}"
    );
    // The transaction's other events, one press away.
    assert_eq!(panel.evaluate("$$('.sibling').length")?, json!(3));
    picture("details")?;
    panel.accessible()?;
    panel.page.resize(400, 700)?;
    panel.fits()?;
    picture("narrow-details")?;
    panel.accessible()?;
    panel.page.resize(1280, 800)?;
    panel.click(".sibling")?;
    panel.wait_for("$('.details h2').textContent === '\"b\"'")?;
    panel.press("Show only these")?;
    panel.wait_for_lines(3)?;
    panel.filter("")?;
    panel.wait_for_lines(7)?;
    // One record in the mirror and in Memcached, side by side.
    page.evaluate("put('b', 'later')")?;
    panel.wait_for_lines(8)?;
    panel.wait_for(ARRIVED)?;
    panel.press("Look again")?;
    panel.wait_for("$$('.places code').length > 1 && $$('.places code').every((value) => value.textContent === '\"later\"')")
}

fn keys_do_what_buttons_do(panel: &Panel<'_>, picture: &impl Fn(&str) -> Result<()>) -> Result<()> {
    let page = &panel.page;
    page.press(Key::Escape)?;
    panel.wait_for("$('.details') === null")?;
    page.press(Key::Down)?;
    panel.wait_for("$('.row[aria-selected=true] .op').textContent === 'schema'")?;
    page.press(Key::Down)?;
    panel.wait_for("$('.row[aria-selected=true] .key').textContent === '\"a\"'")?;
    page.press(Key::Up)?;
    page.press(Key::End)?;
    panel.wait_for("$('.row[aria-selected=true] .preview').textContent.includes('later')")?;
    // Who is in the details scrolls them; the list stays where it is.
    panel.wait_for("$('.details h2').textContent === '\"b\"'")?;
    panel.evaluate("void $('.sections').focus()")?;
    panel.wait_for("document.activeElement.id === 'sections'")?;
    page.press(Key::Home)?;
    page.press(Key::Up)?;
    panel.wait_for("$('.row[aria-selected=true] .preview').textContent.includes('later')")?;
    page.press(Key::Escape)?;
    panel.wait_for("$('.details') === null && document.activeElement.id === 'feed'")?;
    page.press(Key::End)?;
    panel
        .wait_for("$('#feed').getAttribute('aria-activedescendant') === $('.row[aria-selected=true]').id")?;
    page.press(Key::Escape)?;
    page.press(Key::Character('/'))?;
    panel.wait_for("document.activeElement.id === 'search'")?;
    for char in "op:d".chars() {
        page.press(Key::Character(char))?;
    }
    panel.wait_for_lines(1)?;
    page.press(Key::Escape)?;
    panel.wait_for("document.activeElement.id === 'feed'")?;
    panel.filter("")?;
    page.press(Key::Character(' '))?;
    panel.wait_for("$('.paused') !== null")?;
    page.press(Key::Character(' '))?;
    panel.wait_for("$('.paused') === null")?;
    picture("feed")?;
    panel.accessible()?;
    page.press(Key::Character('?'))?;
    panel.wait_for("$('.help') !== null")?;
    // Nothing behind it can be reached.
    panel.evaluate("void $('#search').focus()")?;
    panel.wait_for("document.activeElement.closest('.help') !== null")?;
    picture("help")?;
    panel.accessible()?;
    page.press(Key::Escape)?;
    panel.wait_for("$('.help') === null")?;
    page.press_with_control(Key::Character('k'))?;
    panel.wait_for("document.activeElement === $('.palette input')")?;
    picture("palette")?;
    panel.accessible()?;
    for char in "delet".chars() {
        page.press(Key::Character(char))?;
    }
    page.press(Key::Enter)?;
    panel.wait_for("$('.palette') === null && $('#search').value === 'op:delete'")?;
    panel.filter("")?;
    page.resize(400, 700)?;
    panel.fits()?;
    picture("narrow")?;
    panel.accessible()?;
    page.resize(1280, 800)
}

fn recordings_leave_and_come_back(panel: &Panel<'_>) -> Result<()> {
    panel.evaluate(
        "(window.URL.createObjectURL = (blob) => { window.exported = blob; return 'blob:none'; }, undefined)",
    )?;
    panel.filter("op:put")?;
    panel.wait_for_lines(6)?;
    panel.press("Export")?;
    panel.wait_for("window.exported !== undefined")?;
    let text = panel.evaluate("exported.text()")?;
    let text = text.as_str().context("a text")?;
    assert_eq!(text.lines().count(), 6);
    // A filter of this very moment counts, and nothing that the one before it let through.
    panel.evaluate(
        "((exported = undefined), ($('#search').value = 'op:delete'), $('#search').dispatchEvent(new InputEvent('input', { bubbles: true })), \
         $$('button').find((button) => button.textContent === 'Export').click())",
    )?;
    panel.wait_for("window.exported !== undefined")?;
    let deletions = panel.evaluate("exported.text()")?;
    let deletions = deletions.as_str().context("a text")?;
    panel.wait_for("$$('.row').length > 0 && $$('.row .op').every((op) => op.textContent === 'delete')")?;
    let shown = panel.lines()?.len();
    assert_eq!(deletions.matches(r#""op":"d""#).count(), shown, "{deletions}");
    assert_eq!(deletions.lines().count(), shown);
    panel.filter("")?;
    panel.import("before.ndjson", text)?;
    panel.wait_for_lines(6)?;
    panel.wait_for("$('.recording').textContent.includes('before.ndjson')")?;
    assert_eq!(panel.text(".row .strip")?, "");
    panel.press("Back to live")?;
    panel.wait_for_lines(8)?;
    // The panel names a file that is no recording with its line, and keeps what it shows.
    panel.import("none.ndjson", "{}\n")?;
    panel.wait_for("$('.toast').textContent.includes('none.ndjson, line 1')")?;
    panel.wait_for_lines(8)
}

fn pausing_the_display_is_not_pausing_capture(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    let panel = Panel::of(&browser, &url)?;
    panel.page.resize(1280, 500)?;
    page.evaluate("count(0, 60)")?;
    panel.wait_for("$('.count').textContent.startsWith('61 events')")?;
    // The newest event is in sight until the user scrolls away from it.
    let last = |key: &str| format!("$$('.row').at(-1).querySelector('.key').textContent === '{key}'");
    panel.wait_for(&last("59"))?;
    panel.evaluate("($('#feed').scrollTop = 240, undefined)")?;
    panel.wait_for("$('.newest') !== null")?;
    page.evaluate("count(60, 70)")?;
    panel.wait_for("$('.count').textContent.startsWith('71 events')")?;
    panel.wait_for("$('#feed').scrollTop === 240")?;
    panel.picture(&format!("scrolled-{}", kind.name()))?;
    panel.click(".newest")?;
    panel.wait_for(&last("69"))?;

    // The display rests; the writes go on to Memcached.
    panel.press("Pause")?;
    page.evaluate("count(70, 80)")?;
    rig.settled(&page)?;
    panel.wait_for("$('.count').textContent.startsWith('71 of 81 events')")?;
    panel.wait_for(&last("69"))?;
    panel.press("Resume")?;
    panel.wait_for(&last("79"))?;

    // Capture rests: nothing arrives anywhere.
    panel.press("Pause capture")?;
    panel.wait_for("$('.health').textContent.includes('capture paused')")?;
    let before = rig.stream()?.len();
    page.evaluate("count(80, 85)")?;
    panel.wait_for("/capture paused, [1-9]/.test($('.health').textContent)")?;
    panel.picture(&format!("paused-{}", kind.name()))?;
    ensure!(
        rig.stream()?.len() == before,
        "something arrived while capture rested"
    );
    panel.press("Resume capture")?;
    panel.wait_for(&last("84"))?;

    panel.press("Clear")?;
    panel.wait_for("$$('.row').length === 0 && $('.count').textContent.startsWith('0 events')")?;
    page.evaluate("put('after', 1)")?;
    panel.wait_for_lines(1)?;
    rig.settled(&page).map(drop)
}

/// The lines are used again and again: each has to show its own event, in the order of the events,
/// wherever the list is.
fn lines_show_their_events_wherever_the_list_is(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    let panel = Panel::of(&browser, &url)?;
    panel.page.resize(1280, 500)?;
    page.evaluate("count(0, 200)")?;
    panel.wait_for("$('.count').textContent.startsWith('201 events')")?;
    panel.wait_for(ARRIVED)?;
    // The first event is that of the store's making.
    let own = "$$('.row').every((row, number, rows) => row.id === `event-${row.ariaRowIndex - 1}` \
               && Number(row.ariaRowIndex) === Number(rows[0].ariaRowIndex) + number \
               && (row.id === 'event-0' || row.querySelector('.key').textContent === String(row.ariaRowIndex - 2)) \
               && Math.abs(row.getBoundingClientRect().top - rows[0].getBoundingClientRect().top - number * 24) < 1)";
    for (from, to) in [(2400u32, 2448u32), (2448, 2400), (2400, 240), (240, 0), (0, 3000)] {
        panel.evaluate(&format!("void ($('#feed').scrollTop = {from})"))?;
        panel.wait_for(&format!("{} && {own}", in_sight(from)))?;
        panel.evaluate("$$('.row').forEach((row) => (row.was = row.id))")?;
        panel.evaluate(&format!("void ($('#feed').scrollTop = {to})"))?;
        panel.wait_for(&format!("{} && {own}", in_sight(to)))?;
        if from.abs_diff(to) == 48 {
            // Two rows left at one end and came in at the other; the panel did not touch the rest.
            assert_eq!(
                panel.evaluate("$$('.row').filter((row) => row.was !== row.id).length")?,
                json!(2)
            );
        }
    }
    Ok(())
}

/// Whether the list is scrolled so far and shows what is there, with six lines to spare.
fn in_sight(height: u32) -> String {
    format!(
        "$('#feed').scrollTop === {height} && $('.row').id === 'event-{}'",
        (height / 24).saturating_sub(6)
    )
}

fn a_server_that_is_away_is_named_with_its_fix(kind: Kind) -> Result<()> {
    let mut rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    let panel = Panel::of(&browser, &url)?;
    panel.page.resize(1280, 500)?;
    page.evaluate("put('a', 1)")?;
    panel.wait_for_lines(2)?;
    panel.wait_for(ARRIVED)?;
    rig.memcached.kill()?;
    page.evaluate("put('b', 2)")?;
    panel.wait_for(
        "$$('.row').at(-1)?.querySelector('[data-stage=memcached]').dataset.state === 'retrying'",
    )?;
    panel.wait_for("$$('.row').at(-1).querySelector('[data-stage=redis]').dataset.state === 'passed'")?;
    // The words are those of `idb-relay doctor`.
    let checks = rig.relay.command(&["doctor", "--json"]).output()?;
    let checks: Value = serde_json::from_slice(&checks.stdout)?;
    let check = checks["checks"]
        .as_array()
        .and_then(|checks| checks.iter().find(|check| check["area"] == "memcached"))
        .context("doctor looks at memcached")?;
    // What stands between backticks is shown as code.
    let fix = check["fix"].as_str().context("a fix")?.replace('`', "");
    panel.wait_for(&format!("$('.problems').textContent.includes({fix:?})"))?;
    panel.press("Check")?;
    panel.wait_for(&format!(
        "$$('.doctor [data-state=wrong]').some((check) => check.textContent.includes({fix:?}))"
    ))?;
    panel.picture(&format!("doctor-{}", kind.name()))?;
    panel.accessible()?;
    panel.page.press(Key::Escape)?;
    panel.filter("-stage:memcached")?;
    panel.wait_for_lines(1)?;
    panel.click(".row")?;
    panel.wait_for(&format!(
        "/retrying after [0-9]+ failed attempts?: unreachable/.test($('.details .error')?.textContent) && $('.details .error').textContent.includes({fix:?})"
    ))?;
    panel.wait_for("/^×[0-9]+$/.test($('.row .strip [data-stage=memcached]').textContent)")?;
    panel.picture(&format!("trouble-{}", kind.name()))?;
    panel.accessible()?;
    rig.memcached.restart()?;
    panel.wait_for("$('.problems').textContent === '' && $('[data-why=filter]') !== null")?;
    panel.filter("")?;
    panel.wait_for(ARRIVED)?;
    rig.settled(&page).map(drop)
}

/// What the host says of its own journal stands with what is wrong, and the numbers that it had
/// said before go.
fn damaged_journal_is_reported_with_its_fix(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    let panel = Panel::of(&browser, &url)?;
    page.evaluate("put('a', 1)")?;
    panel.wait_for_lines(2)?;
    panel.wait_for(ARRIVED)?;
    panel.wait_for("$('.health .lag') !== null")?;
    // The disk gives back something else than was written.
    let mut files = Vec::new();
    for entry in fs::read_dir(rig.relay.journal_directory())? {
        let path = entry?.path();
        if path.to_string_lossy().contains(".sqlite") {
            files.push(path);
        }
    }
    for path in files
        .iter()
        .filter(|path| !path.to_string_lossy().ends_with("-shm"))
    {
        let length = usize::try_from(fs::metadata(path)?.len())?;
        OpenOptions::new()
            .write(true)
            .open(path)?
            .write_all(&vec![0x55; length])?;
    }
    page.evaluate("put('b', 2)")?;
    panel.wait_for(
        "/the journal .* failed: .* Move the file away/.test($('.problems').textContent) && $('.health .lag') === null",
    )?;
    panel.picture(&format!("damaged-{}", kind.name()))?;
    panel.accessible()?;
    // What it says to do helps; what the new journal cannot know has a fix as well. The file
    // itself goes last: until then no host begins another.
    files.sort();
    files.reverse();
    for path in &files {
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    panel.wait_for("$('.problems').textContent.includes('idb-relay verify --repair')")?;
    page.reload()?;
    page.evaluate("put('c', 3)")?;
    rig.settled(&page)?;
    rig.relay.run(&["verify", "--repair"])?;
    panel.wait_for("$('.problems').textContent === '' && $$('.health .chip[data-state=ok]').length === 3")
}

/// Browsers end the background now and then: the panel asks again, and nothing waits for an answer
/// that never comes.
fn a_background_that_starts_again_is_asked_again(kind: Kind) -> Result<()> {
    let mut rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    let panel = Panel::of(&browser, &url)?;
    page.evaluate("put('a', 1)")?;
    panel.wait_for_lines(2)?;
    for round in 0..4 {
        panel.wait_for("$$('.health .chip[data-state=ok]').length === 3")?;
        browser.end_background()?;
        panel.press("Stores")?;
        panel.press("Refresh")?;
        panel.press("Events")?;
        rig.memcached.kill()?;
        page.evaluate(&format!("put('later', {round})"))?;
        panel.wait_for("$('.problems').textContent.includes('memcached')")?;
        rig.memcached.restart()?;
        panel.press("Stores")?;
        panel.press("Refresh")?;
        panel.wait_for("$('.stores [data-title=\"In the mirror\"]')?.textContent === '2'")?;
        panel.press("Events")?;
    }
    panel.wait_for_lines(6)?;
    rig.settled(&page).map(drop)
}

/// What is too large for the feed is said to be, and never taken for something else.
fn value_too_large_for_the_list_says_so(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    let panel = Panel::of(&browser, &url)?;
    page.evaluate("put('large', 'x'.repeat(100_000))")?;
    page.evaluate("put('large', 'y'.repeat(100_000))")?;
    panel.wait_for_lines(3)?;
    panel.wait_for(ARRIVED)?;
    panel.evaluate("$$('.row')[2].click()")?;
    panel.wait_for(
        "$$('.details section p').some((line) => line.textContent === 'Too large for the list: 100.0 KB.')",
    )?;
    panel.wait_for(
        "$$('.details section p').some((line) => line.textContent === 'Too large to be compared here.')",
    )?;
    assert_eq!(
        panel.evaluate("$('.details').textContent.includes('Not cached')")?,
        json!(false)
    );
    let command = panel.copied("[aria-label='Copy Record as it is now']")?;
    ensure!(
        command.ends_with("--database writer --store items --key '\"large\"'"),
        "{command}"
    );
    panel.picture(&format!("large-{}", kind.name()))?;
    panel.evaluate("(window.URL.createObjectURL = () => 'blob:none', undefined)")?;
    panel.press("Export")?;
    panel.wait_for("$('.toast').textContent.startsWith('2 events with values too large')")?;
    rig.settled(&page).map(drop)
}

lab::in_both_browsers!(
    a_background_that_starts_again_is_asked_again,
    damaged_journal_is_reported_with_its_fix,
    value_too_large_for_the_list_says_so,
    each_write_is_shown_on_its_way,
    lines_show_their_events_wherever_the_list_is,
    pausing_the_display_is_not_pausing_capture,
    a_server_that_is_away_is_named_with_its_fix,
);

//! Workers that are captured as they write, in Firefox.

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Browser, Kind, Page},
    observe::Event,
    pages::popup,
    wait::{self, PATIENCE, Seen},
};
use serde_json::{Value, json};

const PAGE: &str = "/workers/";

/// Opens the page, with a record that was captured and compared.
fn open<'b>(rig: &Rig, browser: &'b Browser) -> Result<Page<'b>> {
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("write([['put', 'of the page', 0]])")?;
    rig.settled(&page)?;
    Ok(page)
}

/// What the events tell of the writes of workers, and of what was read: the operation, the key, the
/// value, and the worker.
fn published(rig: &Rig, events: &[Event]) -> Vec<Value> {
    let published = events.iter().map(Event::json).filter(|event| {
        let source = &event["source"];
        source.get("writer").is_some() || source["snapshot"] == true
    });
    published
        .map(|event| {
            let url = event["source"]["writer"]["url"].as_str().unwrap_or_default();
            json!([
                event["op"],
                event["key"],
                event["after"],
                event["source"]["writer"]["kind"],
                url.strip_prefix(&rig.site.origin()).unwrap_or(url),
            ])
        })
        .collect()
}

/// Waits for the event that tells of a worker's write of this value; there is one.
fn published_once(rig: &Rig, value: &str) -> Result<Event> {
    let event = wait::until("the event", PATIENCE, || {
        let events = rig.stream()?;
        let found = events.into_iter().find(|event| event.json()["after"] == value);
        Ok(found.map_or(Seen::Not(String::new()), Seen::Ready))
    })?;
    let times = rig
        .stream()?
        .iter()
        .filter(|event| event.json()["after"] == value)
        .count();
    ensure!(times == 1, "{value} is published {times} times");
    ensure!(
        event.json()["source"]["writer"]["kind"] == "worker",
        "{}",
        event.json()
    );
    Ok(event)
}

/// Waits until `status` names a worker that is not captured; all that it names.
fn named(rig: &Rig, script: &str) -> Result<Vec<Value>> {
    wait::until("the worker in `status`", PATIENCE, || {
        let status = rig.relay.run_json(&["status", "--json"])?;
        let workers = status["profiles"][0]["workers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        Ok(if workers.iter().any(|worker| worker["url"] == json!(script)) {
            Seen::Ready(workers)
        } else {
            Seen::Not(format!("{workers:?}"))
        })
    })
}

#[test]
fn writes_of_workers_are_captured_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    let before = rig.stream()?.len();
    page.evaluate("writeIn('module', [['add', 'd', 3]])")?;
    page.evaluate(
        "writeIn('classic', [['put', 'a', 1], ['put', 'b', 1], ['put', 'c', 2], ['delete', 2], ['clear']])",
    )?;
    let events = rig.settled(&page)?;
    let events = events.get(before..).context("events")?;
    let classic =
        |op: &str, key: Value, after: Value| json!([op, key, after, "worker", "/workers/classic.js"]);
    let module =
        |op: &str, key: Value, after: Value| json!([op, key, after, "worker", "/workers/module.mjs"]);
    let expected = json!([
        // By a module that it imports, ahead of its own body.
        module("c", json!("imported"), json!("from an import")),
        module("c", json!(3), json!("d")),
        classic("c", json!(1), json!("a")),
        classic("u", json!(1), json!("b")),
        classic("c", json!(2), json!("c")),
        classic("d", json!(2), json!(null)),
        classic("t", json!(null), json!(null)),
        classic("d", json!(0), json!(null)),
        classic("d", json!(1), json!(null)),
        classic("d", json!(3), json!(null)),
        classic("d", json!("imported"), json!(null)),
    ]);
    let published = json!(published(&rig, events));
    ensure!(published == expected, "{published}");
    // What one worker writes is in order, and so is known.
    let befores: Vec<_> = events[2..6].iter().map(|event| &event.json()["before"]).collect();
    ensure!(
        befores == [&json!(null), &json!("a"), &json!(null), &json!("c")],
        "{befores:?}"
    );
    Ok(())
}

/// The schema of a database that a worker makes and deletes.
#[test]
fn upgrade_of_worker_is_published_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    page.evaluate(
        "evaluateIn('classic', `new Promise((resolve) => {
            const request = indexedDB.open('made', 3);
            request.onupgradeneeded = () => request.result.createObjectStore('made', { keyPath: 'id' }).put({ id: 1 });
            request.onsuccess = () => {
                request.result.close();
                indexedDB.deleteDatabase('made').onsuccess = () => resolve(null);
            };
        })`)",
    )?;
    let events = rig.settled(&page)?;
    let of_database = events.iter().filter(|event| event.database() == "made");
    let lines: Vec<String> = of_database
        .map(|event| format!("{} by {}", event.line(), event.json()["source"]["writer"]["kind"]))
        .collect();
    ensure!(
        lines
            == [
                r#"s made/made {"create_store":{"auto_increment":false,"key_path":"id"}} by "worker""#,
                r#"c made/made 1 {"id":1} by "worker""#,
                r#"s made/made {"delete_database":{}} by "worker""#,
                r#"d made/made 1 by "worker""#,
            ],
        "{lines:#?}"
    );
    Ok(())
}

/// A worker that is captured is not named as one that is not.
#[test]
fn captured_worker_is_not_named_as_unobserved_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    page.evaluate("writeIn('classic', [['put', 'captured', 1]])")?;
    published_once(&rig, "captured")?;
    // What is named comes behind it: a script that no hook is put in front of.
    page.evaluate("fetch('write.js?worker.js').then(() => null)")?;
    page.evaluate("navigator.serviceWorker.register('service.js').then(() => navigator.serviceWorker.ready).then(() => null)")?;
    page.evaluate("writeIn('blob', [['put', 'unseen', 1]])")?;
    rig.settled(&page)?;
    let service = rig.site.url("/workers/service.js");
    let named = named(&rig, &service)?;
    ensure!(
        named.iter().all(|worker| worker["url"] == json!(service)),
        "{named:?}"
    );
    let popup = popup(&browser, &rig.site.url(PAGE))?;
    popup.wait_for(&format!(
        "document.getElementById('remark').textContent.includes({service:?})"
    ))?;
    popup.wait_for("!document.getElementById('remark').textContent.includes('classic.js')")
}

#[test]
fn worker_script_stays_as_strict_as_it_was_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    ensure!(
        page.evaluate("evaluateIn('strict', 'isStrict')")? == true,
        "it is sloppy"
    );
    ensure!(
        page.evaluate("evaluateIn('classic', 'isSloppy && isFirstSloppy')")? == true,
        "it is strict"
    );
    for kind in ["strict", "classic"] {
        page.evaluate(&format!("writeIn({kind:?}, [['put', {kind:?}, 1]])"))?;
        published_once(&rig, kind)?;
    }
    // A line of the script keeps its number.
    let line = page.evaluate("evaluateIn('classic', 'lineOfScript')")?;
    ensure!(line == 3, "{line}");
    rig.settled(&page).map(drop)
}

#[test]
fn scripts_of_all_lengths_and_from_the_cache_are_hooked_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    page.evaluate("writeIn('long', [['put', 'long', 1]])")?;
    published_once(&rig, "long")?;
    ensure!(
        page.evaluate("evaluateIn('long', 'isWhole')")? == true,
        "the end is missing"
    );
    for value in ["first", "from the cache"] {
        page.evaluate("void (evaluateIn.kept = undefined)")?;
        page.evaluate(&format!("writeIn('kept', [['put', {value:?}, 2]])"))?;
        published_once(&rig, value)?;
    }
    rig.settled(&page).map(drop)
}

#[test]
fn script_that_fails_fails_as_ever_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    for script in ["absent.js", "broken.js"] {
        let fate = page.evaluate(&format!("fateOf({script:?})"))?;
        ensure!(fate == "error", "{script}: {fate}");
    }
    // Terminated at once, or empty: nothing follows, and nothing breaks.
    page.evaluate(
        "void Array.from({ length: 20 }, (_, count) => new Worker(`classic.js?${count}`).terminate())",
    )?;
    page.evaluate("void new Worker('empty.js')")?;
    page.evaluate("writeIn('classic', [['put', 'afterwards', 1]])")?;
    published_once(&rig, "afterwards")?;
    rig.settled(&page).map(drop)
}

/// Beside the source of the functions, a worker's script sees what it sees without us.
#[test]
fn captured_worker_looks_like_another_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    let hooked = page.evaluate("fateOf('messages.js')")?;
    let origin = rig.site.origin();
    let bare = page.evaluate(&format!(
        "fetch('{origin}/workers/messages.js').then((answer) => answer.text())
            .then((text) => fateOf(URL.createObjectURL(new Blob([text]))))"
    ))?;
    ensure!(hooked == bare, "{hooked}\n{bare}");
    ensure!(hooked != "error", "it ends with an error");
    let orders = ["classic", "module", "blob"]
        .map(|kind| page.evaluate(&format!("evaluateIn({kind:?}, 'orderOfCalls()')")));
    let [classic, module, bare] = orders;
    let bare = bare?;
    ensure!(
        bare.as_str().is_some_and(|order| order.contains("complete")),
        "{bare}"
    );
    ensure!(classic? == bare && module? == bare, "another order than {bare}");
    // The channel is no script's to hear.
    page.evaluate("void (globalThis.heard = [], new BroadcastChannel('page').onmessage = ({ data }) => heard.push(data))")?;
    page.evaluate("writeIn('classic', [['put', 'unheard', 1]])")?;
    published_once(&rig, "unheard")?;
    ensure!(page.evaluate("heard.length")? == 0, "it is heard");
    Ok(())
}

/// Page and workers write the same records at once: in the end all agree.
#[test]
fn page_and_workers_that_write_at_once_converge_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    let operations = |writer: &str| {
        format!(
            "Array.from({{ length: 60 }}, (_, count) => count % 7 === 6 ? ['delete', count % 5] : ['put', `{writer} ${{count}}`, count % 5])"
        )
    };
    page.evaluate(&format!(
        "Promise.all([write({}), writeIn('classic', {}), writeIn('module', {})]).then(() => null)",
        operations("page"),
        operations("classic"),
        operations("module"),
    ))?;
    rig.settled(&page).map(drop)
}

/// Of two tabs the one that owns the worker tells of its writes.
#[test]
fn only_the_owner_tells_of_its_worker_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let first = open(&rig, &browser)?;
    let second = browser.open(&rig.site.url(PAGE))?;
    first.evaluate("writeIn('classic', [['put', 'of the first', 1]])")?;
    second.evaluate("writeIn('classic', [['put', 'of the second', 2]])")?;
    let of_first = published_once(&rig, "of the first")?;
    let of_second = published_once(&rig, "of the second")?;
    let context = |event: &Event| event.json()["source"]["context"].clone();
    ensure!(
        context(&of_first) != context(&of_second),
        "one document tells of both"
    );
    first.evaluate("write([['put', 'by the page', 3]])")?;
    let events = rig.settled(&first)?;
    let own = events.iter().find(|event| event.json()["after"] == "by the page");
    ensure!(
        own.map(context) == Some(context(&of_first)),
        "another document tells of it"
    );
    for value in ["of the first", "of the second"] {
        published_once(&rig, value)?;
    }
    Ok(())
}

/// More workers than a document has channels.
#[test]
fn many_workers_are_captured_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    for _ in 0..15 {
        page.evaluate("startMany(20)")?;
    }
    rig.settled(&page)?;
    let events = rig.stream()?;
    let by_workers = events.iter().filter(|event| {
        let event = event.json();
        event["key"].as_str().is_some_and(|key| key.starts_with("many "))
            && event["source"].get("writer").is_some()
    });
    let count = by_workers.count();
    ensure!(count == 300, "{count} writes are published as they happen");
    Ok(())
}

/// The background may sleep when a worker starts.
#[test]
fn worker_that_wakes_the_background_is_captured_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    for value in ["first", "second"] {
        browser.end_background()?;
        page.evaluate("void (evaluateIn.classic = undefined)")?;
        page.evaluate(&format!("writeIn('classic', [['put', {value:?}, 1]])"))?;
        published_once(&rig, value)?;
    }
    rig.settled(&page).map(drop)
}

/// A document that comes back from the back/forward cache hears its workers again.
#[test]
fn worker_is_captured_when_its_page_is_back_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    page.evaluate("writeIn('classic', [['put', 'before', 1]])")?;
    published_once(&rig, "before")?;
    page.navigate(&rig.site.url("/blank/"))?;
    page.evaluate("void history.back()")?;
    page.wait_for("globalThis.writeIn !== undefined")?;
    page.evaluate("writeIn('classic', [['put', 'behind', 1]])")?;
    published_once(&rig, "behind")?;
    rig.settled(&page).map(drop)
}

/// The hook is in the script itself, so no policy of the script's forbids it.
#[test]
fn worker_under_a_policy_is_captured_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    let can_evaluate = page.evaluate("fateOf('lone.js?policy')")?;
    ensure!(
        can_evaluate == false,
        "the policy forbids nothing: {can_evaluate}"
    );
    published_once(&rig, "lone")?;
    rig.settled(&page).map(drop)
}

/// A script that a service worker answers for is seen by nothing that could put a hook in front of
/// it: its worker is named, and what it writes is found.
#[test]
fn worker_that_is_not_captured_is_named_beside_one_that_is_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    page.evaluate("writeIn('classic', [['put', 'captured', 1]])")?;
    published_once(&rig, "captured")?;
    page.evaluate("navigator.serviceWorker.register('service.js').then(() => null)")?;
    page.wait_for("navigator.serviceWorker.controller !== null")?;
    page.evaluate("writeIn('served', [['put', 'served', 1]])")?;
    rig.settled(&page)?;
    named(&rig, &rig.site.url("/workers/classic.js")).map(drop)
}

/// A library may have replaced methods before the first of a module's scripts that we see.
#[test]
fn worker_with_replaced_methods_is_captured_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    page.evaluate("writeIn('wrapped', [['put', 'wrapped', 1]])")?;
    published_once(&rig, "wrapped")?;
    published_once(&rig, "from an import")?;
    rig.settled(&page).map(drop)
}

#[test]
fn worker_whose_hook_fails_is_named_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    page.evaluate("writeIn('frozen', [['put', 'frozen', 1]])")?;
    named(&rig, &rig.site.url("/workers/frozen.mjs"))?;
    rig.settled(&page).map(drop)
}

/// The document answers the hook on the channel; members that answers lack are not looked for in
/// what they inherit.
#[test]
fn answers_to_worker_hook_call_no_inherited_getter_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    let getter = "get() { globalThis.isSeen = true; return true; }";
    page.evaluate(&format!(
        "evaluateIn('classic', `Object.defineProperty(Object.prototype, 'stop', {{ {getter} }}) && null`)"
    ))?;
    // So much that the hook asks how far the document is.
    let long = "x".repeat(600_000);
    page.evaluate("writeIn('classic', [['put', 'x'.repeat(600000), 1]])")?;
    published_once(&rig, &long)?;
    page.evaluate("writeIn('classic', [['put', 'after the answer', 2]])")?;
    published_once(&rig, "after the answer")?;
    let seen = page.evaluate("evaluateIn('classic', 'globalThis.isSeen ?? null')")?;
    ensure!(seen.is_null(), "the worker's own getter was called");
    rig.settled(&page).map(drop)
}

/// Neither a line for a shell nor a comment as HTML has them begins a statement.
#[test]
fn worker_scripts_with_odd_first_lines_run_and_are_captured_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    for script in ["shell.js", "arrow.js"] {
        page.evaluate(&format!(
            "void (new Worker({script:?}).onerror = () => (window.failed = {script:?}))"
        ))?;
    }
    for kind in ["shell", "arrow"] {
        page.evaluate(&format!("void writeIn({kind:?}, [['put', {kind:?}, 1]])"))?;
        published_once(&rig, kind)?;
    }
    ensure!(
        page.evaluate("globalThis.failed")?.is_null(),
        "a script does not run"
    );
    rig.settled(&page).map(drop)
}

#[test]
fn workers_of_first_scripts_are_captured_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    open(&rig, &browser)?.close()?;
    for load in 0..20 {
        let tab = browser.open(&rig.site.url(&format!("{PAGE}first.html?{load}")))?;
        tab.wait_for("globalThis.isWritten === true")?;
        tab.close()?;
    }
    let page = browser.open(&rig.site.url(PAGE))?;
    let events = rig.settled(&page)?;
    let captured = |load: &usize| {
        let mut events = events.iter().map(Event::json);
        events.any(|event| event["key"] == format!("?{load}") && event["source"].get("writer").is_some())
    };
    let missed: Vec<usize> = (0..20).filter(|load| !captured(load)).collect();
    ensure!(missed.is_empty(), "not captured: {missed:?}");
    Ok(())
}

/// The document may be so young that the browser finds nothing in it that listens.
#[test]
fn document_that_is_not_reached_is_asked_again_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    browser.background()?.call(
        "(background) => {
            const send = background.chrome.tabs.sendMessage;
            background.chrome.tabs.sendMessage = () => {
                background.chrome.tabs.sendMessage = send;
                return Promise.reject(new Error('Could not establish connection. Receiving end does not exist.'));
            };
        }",
    )?;
    page.evaluate("writeIn('classic', [['put', 'asked again', 1]])")?;
    published_once(&rig, "asked again")?;
    rig.settled(&page).map(drop)
}

/// A site that is captured no more has no hooks at work, in workers as little as in pages.
#[test]
fn hook_of_worker_stops_with_its_site_in_firefox() -> Result<()> {
    let rig = Rig::without_consent(Kind::Firefox)?;
    let browser = rig.browser_at_once(false)?;
    let url = rig.site.url(PAGE);
    let page = browser.open(&url)?;
    let popup = popup(&browser, &url)?;
    popup.evaluate("document.getElementById('capture').click()")?;
    popup.wait_for("!document.getElementById('words').textContent.includes('not captured')")?;
    page.evaluate("write([['put', 'of the page', 0]])")?;
    rig.settled(&page)?;
    page.reload()?;
    page.wait_for("globalThis.writeIn !== undefined")?;
    // A script of the page that knows the channel.
    browser.background()?.call(
        "(background) => {
            const send = background.chrome.tabs.sendMessage;
            background.chrome.tabs.sendMessage = (...given) => {
                const answer = send(...given);
                void answer.then((given) => (background.named = given?.channel ?? background.named), () => {});
                return answer;
            };
        }",
    )?;
    page.evaluate("writeIn('classic', [['put', 'captured', 1]])")?;
    published_once(&rig, "captured")?;
    let name = browser.background()?.call("(background) => background.named")?;
    ensure!(name.is_string(), "no channel: {name}");
    page.evaluate(&format!(
        "void (globalThis.heard = [], new BroadcastChannel({name}).onmessage = ({{ data }}) => heard.push(data))"
    ))?;
    page.evaluate("writeIn('classic', [['put', 'heard', 1]])")?;
    page.wait_for("heard.some((data) => `${data}`.includes('heard'))")?;
    popup.evaluate("document.getElementById('capture').click()")?;
    page.wait_for("heard.some(({ stop }) => stop === true)")?;
    page.evaluate("writeIn('classic', [['put', 'unheard', 1]])")?;
    // Another worker's message comes behind what the first one would have said.
    page.evaluate(&format!(
        "evaluateIn('classic', `void new BroadcastChannel({name}).postMessage('end')`)"
    ))?;
    page.wait_for("heard.includes('end')")?;
    ensure!(
        page.evaluate("heard.some((data) => `${data}`.includes('unheard'))")? == false,
        "the hook tells of writes"
    );
    Ok(())
}

/// What a document's thread does not take waits in memory.
#[test]
fn worker_faster_than_its_page_gives_up_commits_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    // More than may be on its way, and less than the page itself would let wait.
    page.evaluate(
        "writeWhileBusy('classic', `Array.from({ length: 60 }, (_, count) => ['put', 'x'.repeat(400000), 'large ' + count])`)",
    )?;
    page.evaluate("writeIn('classic', [['put', 'afterwards', 'small']])")?;
    let events = rig.settled(&page)?;
    let large = events.iter().map(Event::json).filter(|event| {
        let is_large = event["key"].as_str().is_some_and(|key| key.starts_with("large "));
        is_large && event["source"].get("writer").is_some()
    });
    let count = large.count();
    ensure!(
        (1..60).contains(&count),
        "{count} of 60 writes waited for the page"
    );
    // It goes on once the page has taken what waited.
    wait::until("a captured write", PATIENCE, || {
        page.evaluate("writeIn('classic', [['put', 'again', 'small']])")?;
        let events = rig.settled(&page)?;
        let captured = events.iter().map(Event::json);
        let mut captured = captured.filter(|event| event["source"].get("writer").is_some());
        Ok(if captured.any(|event| event["after"] == "again") {
            Seen::Ready(())
        } else {
            Seen::Not(String::new())
        })
    })
}

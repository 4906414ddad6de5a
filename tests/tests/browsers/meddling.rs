//! Pages that meddle: with what they gave and got, with the built-ins, with events on their way.
//! What arrives is what the database holds, and such a page finds nothing that it would not find
//! without us.

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Kind, Launch, Page},
    observe::Event,
    site::Site,
    wait::{self, PATIENCE, Seen},
};
use serde_json::{Value, json};

const PAGE: &str = "/writer/";

/// A database `odd` with the stores that the scripts below want; `odd` is the connection.
const ODD: &str = "new Promise((resolve) => {
    const request = indexedDB.open('odd', 1);
    request.onupgradeneeded = () => {
        request.result.createObjectStore('out');
        request.result.createObjectStore('in', { keyPath: ['a', 'b.c'] });
        request.result.createObjectStore('made', { autoIncrement: true });
        request.result.createObjectStore('long', { keyPath: ['name.length', 'id'] });
    };
    request.onsuccess = () => resolve(void (window.odd = request.result));
})";

/// Runs a function of a transaction on all stores of `odd` until it commits.
fn transact(page: &Page<'_>, body: &str) -> Result<Value> {
    page.evaluate(&format!(
        "new Promise((resolve) => {{
            const transaction = odd.transaction(['out', 'in', 'made', 'long'], 'readwrite');
            const [out, inside, made, long] = ['out', 'in', 'made', 'long'].map((name) => transaction.objectStore(name));
            let findings = null;
            {body};
            transaction.oncomplete = () => resolve(findings);
        }})"
    ))
}

fn lines(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter(|event| event.database() == "odd" && event.op() != "s")
        .map(Event::line)
        .collect()
}

fn keys_are_those_that_the_database_took(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(ODD)?;
    let calls = transact(
        &page,
        "let calls = 0;
        out.put('array', ['x', 2]).onsuccess = ({ target }) => target.result.reverse();
        const given = ['given', 1];
        out.put('argument', given);
        given[1] = 99;
        const date = new Date(5);
        out.put('date', date).onsuccess = ({ target }) => target.result.setTime(7);
        date.setTime(6);
        out.put('bytes', new Uint8Array([1, 2, 3, 4]).subarray(1, 3)).onsuccess = ({ target }) =>
            structuredClone(target.result, { transfer: [target.result] });
        out.put('watched', ['w']).onsuccess = ({ target }) =>
            Object.defineProperty(target.result, 0, { get: () => (calls++, 99), enumerable: true });
        inside.put({ a: [1], b: { c: 'd' } }).onsuccess = ({ target }) => (target.result.length = 0);
        made.put('generated');
        long.put({ name: 'Ada', id: 1 }).onsuccess = ({ target }) => target.result.reverse();
        transaction.addEventListener('complete', () => (findings = calls))",
    )?;
    assert_eq!(calls, json!(0), "accessors that only the page may run");
    let events = rig.settled(&page)?;
    assert_eq!(
        lines(&events),
        [
            r#"c odd/out ["x",2] "array""#,
            r#"c odd/out ["given",1] "argument""#,
            r#"c odd/out {"$date":"1970-01-01T00:00:00.005Z"} "date""#,
            r#"c odd/out {"$bytes":{"base64":"AgM=","type":"ArrayBuffer"}} "bytes""#,
            r#"c odd/out ["w"] "watched""#,
            r#"c odd/in [[1],"d"] {"a":[1],"b":{"c":"d"}}"#,
            r#"c odd/made 1 "generated""#,
            r#"c odd/long [3,1] {"id":1,"name":"Ada"}"#,
        ]
    );

    transact(
        &page,
        "let turn = 0;
        out.openCursor(IDBKeyRange.bound(['w'], ['x', 2])).onsuccess = ({ target: { result: cursor } }) => {
            if (cursor === null) return;
            if (turn++ === 0) cursor.update('again');
            else cursor.delete();
            cursor.continue();
        };
        inside.openCursor().onsuccess = ({ target: { result: cursor } }) => {
            cursor.update({ ...cursor.value, more: true }).onsuccess = ({ target }) => (target.result[1] = 'other');
        };",
    )?;
    let events = rig.settled(&page)?;
    let mut changes = lines(&events).split_off(8);
    // Requests of two stores.
    changes.sort();
    assert_eq!(
        changes,
        [
            r#"d odd/out ["x",2]"#,
            r#"u odd/in [[1],"d"] {"a":[1],"b":{"c":"d"},"more":true}"#,
            r#"u odd/out ["w"] "again""#,
        ]
    );
    Ok(())
}

fn what_accessors_wrote_is_read_before_it_is_overwritten(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(ODD)?;
    transact(
        &page,
        "out.put({ get a() { return 'first' } }, 1);
        out.put('second', 1);
        out.put({ get a() { return 'deleted' } }, 2);
        out.delete(2);
        out.put({ get a() { return 'first' } }, ['k', 1]);
        out.put('second', ['k', 1]);
        let busy = false;
        const proxy = new Proxy({}, { ownKeys(target) {
            if (!busy) { busy = true; out.put('nested', 3); }
            return Reflect.ownKeys(target);
        } });
        const outer = { a: {}, get b() { Object.defineProperty(outer, 'a', { value: proxy, enumerable: true }); return 2; } };
        out.put(outer, 4);",
    )?;
    let events = rig.settled(&page)?;
    let lines = lines(&events);
    assert_eq!(
        lines[..6],
        [
            r#"c odd/out 1 {"a":"first"}"#,
            r#"u odd/out 1 "second""#,
            r#"c odd/out 2 {"a":"deleted"}"#,
            "d odd/out 2",
            r#"c odd/out ["k",1] {"a":"first"}"#,
            r#"u odd/out ["k",1] "second""#,
        ]
    );
    ensure!(
        lines.iter().any(|line| line == r#"c odd/out 4 {"a":{},"b":2}"#),
        "{lines:#?}"
    );
    Ok(())
}

/// Unseen writes are read again when the page writes next, or goes.
fn a_page_that_stops_its_events_hides_no_commit(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(ODD)?;
    page.evaluate("odd.addEventListener('complete', (event) => event.stopImmediatePropagation(), true)")?;
    page.evaluate(
        "new Promise((resolve) => {
            const transaction = odd.transaction('out', 'readwrite');
            transaction.objectStore('out').put('unseen', 1).onsuccess = () => setTimeout(resolve, 100);
        })",
    )?;
    wait::until("the commit to be found", PATIENCE, || {
        page.evaluate("put('next', 1)")?;
        let found = lines(&rig.stream()?)
            .iter()
            .any(|line| line.ends_with(r#"1 "unseen""#));
        Ok(if found {
            Seen::Ready(())
        } else {
            Seen::Not("no event of it".to_owned())
        })
    })?;
    rig.settled(&page).map(drop)
}

/// What a page can find out about its surroundings, as one text.
const SURROUNDINGS: &str = "(async () => {
    const findings = [];
    const tell = (name, value) => findings.push(`${name}: ${value}`);
    const failure = (name, run) => { try { tell(name, run()); } catch (error) { tell(name, `${error.name}: ${error.message}`); } };
    tell('globals', Object.getOwnPropertyNames(window).filter((name) => /relay|idb/i.test(name)).sort());
    tell('idle', requestIdleCallback(() => {}));
    tell('timer', setTimeout(() => {}));
    const owners = [IDBFactory, IDBDatabase, IDBTransaction, IDBObjectStore, IDBIndex, IDBCursor, IDBKeyRange, IDBRequest];
    for (const { name, prototype } of owners) {
        for (const [key, { value, get, set, ...rest }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
            for (const [half, code] of Object.entries({ value, get, set })) {
                if (typeof code !== 'function') continue;
                const shape = [Reflect.ownKeys(code), code.name, code.length, String(code), Object.hasOwn(code, 'prototype'), JSON.stringify(rest)];
                tell(`${name}.${key} ${half}`, shape);
                failure(`${name}.${key} ${half} on nothing`, () => Reflect.apply(code, undefined, []));
                failure(`${name}.${key} ${half} on an object`, () => Reflect.apply(code, {}, [Symbol()]));
                failure(`${name}.${key} ${half} constructed`, () => Reflect.construct(code, []));
                failure(`${name}.${key} ${half} cloned`, () => structuredClone(code));
            }
        }
    }
    failure('a symbol for a name', () => indexedDB.deleteDatabase(Symbol()));
    failure('no name', () => indexedDB.deleteDatabase());
    failure('a symbol to open', () => indexedDB.open(Symbol()));
    // A frame's window is older than the document that is loaded into it.
    const frame = document.createElement('iframe');
    frame.src = '/blank/';
    document.body.append(frame);
    const received = [];
    for (const type of ['load', 'ready', 'stop', 'body', 'survey', 'dev.idb_relay.handshake']) {
        frame.contentWindow.addEventListener(type, (event) => event.isTrusted || received.push(type), true);
    }
    await new Promise((resolve) => (frame.onload = resolve));
    tell('received', received);
    tell('a frame of its own', frame.contentWindow.IDBObjectStore.prototype.put === IDBObjectStore.prototype.put);
    const detached = frame.contentWindow.indexedDB;
    frame.remove();
    failure('a detached document', () => detached?.open('x'));
    return findings;
})()";

fn surroundings(page: &Page<'_>) -> Result<Vec<String>> {
    Ok(serde_json::from_value(page.evaluate(SURROUNDINGS)?)?)
}

/// Compares two lists; the error has the first lines that differ.
fn same_lines(found: &[String], expected: &[String]) -> Result<()> {
    let different = found
        .iter()
        .zip(expected)
        .find(|(found, expected)| found != expected);
    ensure!(different.is_none(), "{different:#?}");
    ensure!(
        found.len() == expected.len(),
        "{} lines, not {}",
        found.len(),
        expected.len()
    );
    Ok(())
}

fn surroundings_are_as_without_us(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let elsewhere = Site::start()?;
    let browser = rig.browser()?;
    // Not granted: nothing of ours runs there. (A host that is granted is so on all its ports.)
    let bare = browser.open(&elsewhere.url("/blank/").replace("localhost", "127.0.0.1"))?;
    let hooked = browser.open(&rig.site.url("/blank/"))?;
    let (expected, found) = (surroundings(&bare)?, surroundings(&hooked)?);
    ensure!(expected.len() > 200, "only {} lines", expected.len());
    same_lines(&found, &expected)
}

fn nothing_is_called_under_the_strictest_policy_with_other_built_ins(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let elsewhere = Site::start()?;
    let browser = rig.browser()?;
    // Not granted: what is called there the engine calls.
    let bare = browser.open(&elsewhere.url("/hardened/").replace("localhost", "127.0.0.1"))?;
    // Firefox answers the bridge's `indexedDB.databases()` with an array of the page's, and asks it
    // for a `then`.
    let is_answer = |line: &&str| {
        kind == Kind::Firefox && (*line == "Object.prototype.then" || line.ends_with("lacks then (get)"))
    };
    let notes = |page: &Page<'_>| -> Result<Vec<String>> {
        let notes = page.evaluate("window.written")?;
        let lines = notes.as_str().context("notes")?.lines();
        Ok(lines.filter(|line| !is_answer(line)).map(str::to_owned).collect())
    };
    let expected = notes(&bare)?;
    let page = browser.open(&rig.site.url("/hardened/"))?;
    same_lines(&notes(&page)?, &expected)?;
    let replaced = page.evaluate("window.replacedFunctions")?;
    ensure!(
        replaced.as_u64() > Some(5000),
        "only {replaced} functions were replaced"
    );
    let events = wait::until("the last write of the page", PATIENCE, || {
        let events = rig.stream()?;
        Ok(if events.iter().any(|event| event.op() == "u") {
            Seen::Ready(events)
        } else {
            Seen::Not(format!("{} events", events.len()))
        })
    })?;
    let captured = |store: &str| {
        let of_store = |event: &&Event| event.op() == "c" && event.json()["source"]["store"] == store;
        events.iter().filter(of_store).count()
    };
    assert_eq!(
        (captured("items"), captured("inside"), captured("made")),
        (22, 2, 2)
    );
    let written = events.iter().find(|event| event.json()["key"] == "plain");
    assert_eq!(
        written.context("a plain value")?.json()["after"],
        json!({
            "date": { "$date": "1970-01-01T00:00:00.005Z" },
            "list": [1, 2],
            "text": "x",
            "nothing": null,
            "not": { "$undefined": true },
            "number": { "$number": "NaN" },
            "zero": { "$number": "-0" },
            "big": { "$bigint": "5" },
        })
    );
    Ok(())
}

/// What a call does is what it does without us, wherever the stack ends.
fn outcome_is_the_native_one_at_the_end_of_the_stack(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(ODD)?;
    page.evaluate("void (window.at = (depth, act) => (depth === 0 ? act() : at(depth - 1, act)))")?;
    // Keys whose call threw although the record is there, or returned although it is not.
    let wrong = page.evaluate(
        "(async () => {
            const fits = (depth) => { try { at(depth, () => 0); return true; } catch { return false; } };
            // The size of a frame changes when the engine compiles `at` or drops what it compiled,
            // so the end of the stack is looked for again and again.
            const deepest = () => {
                let [low, high] = [0, 100000];
                while (low < high) { const middle = (low + high + 1) >> 1; if (fits(middle)) low = middle; else high = middle - 1; }
                return low;
            };
            const DEPTHS = 2500;
            const wrong = [];
            let returned = 0;
            const result = (request) => new Promise((resolve) => (request.onsuccess = () => resolve(request.result)));
            for (const [kind, write] of [
                ['put', (store, key) => store.put({ key }, key)],
                ['accessor', (store, key) => store.put({ get key() { return key; } }, key)],
                ['delete', (store, key) => store.delete(key)],
            ]) {
                const transaction = odd.transaction('out', 'readwrite');
                const store = transaction.objectStore('out');
                const before = new Set(await result(store.getAllKeys()));
                const called = new Set();
                let low = 0;
                for (let key = 0; key < DEPTHS; key++) {
                    if (key % 50 === 0) low = deepest();
                    try { at(low - key, () => write(store, key)); called.add(key); } catch {}
                }
                await new Promise((resolve) => (transaction.oncomplete = resolve));
                const after = new Set(await result(odd.transaction('out').objectStore('out').getAllKeys()));
                returned += called.size;
                for (let key = 0; key < DEPTHS; key++) {
                    const there = kind === 'delete' ? before.has(key) && !called.has(key) : before.has(key) || called.has(key);
                    if (there !== after.has(key)) wrong.push(`${kind} ${key}`);
                }
                await result(odd.transaction('out', 'readwrite').objectStore('out')[kind === 'put' ? 'clear' : 'count']());
            }
            return { wrong, returned };
        })()",
    )?;
    assert_eq!(wrong["wrong"], json!([]), "{wrong}");
    ensure!(
        wrong["returned"].as_u64() > Some(600),
        "hardly any call succeeded: {wrong}"
    );
    rig.settled(&page).map(drop)
}

/// A setting of Firefox takes the scheduler away that we wait by: nothing is missing, and nothing
/// more can be seen of us.
#[test]
fn page_without_a_scheduler_is_captured_and_read() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    rig.profile
        .set_preference("dom.enable_web_task_scheduling", &json!(false))?;
    let without_us = rig.profile.start(&Launch::default())?;
    let page = without_us.open(&rig.site.url(PAGE))?;
    assert_eq!(page.evaluate("typeof scheduler")?, json!("undefined"));
    page.evaluate("put('before', 1)")?;
    without_us.quit()?;

    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let events = rig.settled(&page)?;
    assert_eq!(
        events.iter().filter(|event| event.op() == "r").count(),
        1,
        "what was there is read"
    );
    // A stream, so that commits wait for each other.
    page.evaluate(
        "(async () => { for (let each = 0; each < 50; each++) await put(`each ${each}`, each); })()",
    )?;
    let events = rig.settled(&page)?;
    assert_eq!(events.iter().filter(|event| event.op() == "c").count(), 50);
    page.evaluate(ODD)?;
    write_by_another_windows_method(&page, 0)?;
    rig.settled(&page)?;

    let elsewhere = Site::start()?;
    let bare = browser.open(&elsewhere.url("/blank/").replace("localhost", "127.0.0.1"))?;
    let hooked = browser.open(&rig.site.url("/blank/"))?;
    same_lines(&surroundings(&hooked)?, &surroundings(&bare)?)
}

fn write_by_another_windows_method(page: &Page<'_>, key: u32) -> Result<()> {
    page.evaluate(&format!(
        "new Promise((resolve) => {{
            const frame = document.createElement('iframe');
            frame.sandbox = 'allow-same-origin';
            frame.src = '/blank/';
            document.body.append(frame);
            const {{ put }} = frame.contentWindow.IDBObjectStore.prototype;
            const transaction = odd.transaction('out', 'readwrite');
            put.call(transaction.objectStore('out'), 'by another window', {key});
            transaction.oncomplete = resolve;
        }})"
    ))
    .map(drop)
}

/// A window that has no hook has methods of its own; a write by one of them is found, by its
/// transaction.
fn a_write_by_another_windows_method_is_found(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(ODD)?;
    // The first ones may be found by the comparison that follows the load.
    for turn in 0..3 {
        write_by_another_windows_method(&page, turn)?;
        rig.settled(&page)?;
    }
    Ok(())
}

/// Opens a frame whose window is changed before our scripts run there, and gets hold of the node by
/// which hook and bridge meet; `other` is the window.
pub(crate) const CATCH_NODE: &str = "async () => {
    const frame = document.createElement('iframe');
    frame.src = '/writer/';
    document.body.append(frame);
    const { prototype } = frame.contentWindow.EventTarget;
    const native = prototype.dispatchEvent;
    prototype.dispatchEvent = function (event) {
        if (event.type === 'body') window.node = this;
        return native.call(this, event);
    };
    await new Promise((resolve) => (frame.onload = resolve));
    window.other = frame.contentWindow;
    await other.put('before', 1);
    return window.node !== undefined;
}";

/// A page that changed a window's built-ins before our scripts ran there can speak for it, and no
/// more.
fn a_forged_body_reaches_into_no_message(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let caught = page.evaluate(
        &format!(r#"({CATCH_NODE})().then(async (isCaught) => {{
            if (!isCaught) return false;
            for (const data of [
                '1}},{{"sequence":1000,"body":{{"gap":{{"reason":"forged","stores":[]}}}}',
                '1}}]}},"open":{{"context":"forged","late":false}},"more":{{"deliveries":[{{"sequence":1,"body":1',
                'no JSON',
                {{ text: '{{"k":"}},{{\"sequence\":1000,\"body\":{{\"x\":\"y\"}}"}}', blobs: [new Blob(['x'])], stacks: '' }},
                {{ text: '{{"gap":{{"reason":"x","stores":[]}}}}', blobs: null, stacks: '[]}},"sequence":1000,"x":{{' }},
                {{ text: 5, blobs: null, stacks: '' }},
                null,
            ]) {{
                window.node.dispatchEvent(new other.MessageEvent('body', {{ data }}));
            }}
            await other.put('after', 2);
            return true;
        }})"#),
    )?;
    assert_eq!(caught, json!(true), "the page did not get hold of the node");
    let events = rig.settled(&page)?;
    let captured: Vec<_> = events
        .iter()
        .filter(|event| event.op() == "c")
        .map(Event::line)
        .collect();
    assert_eq!(
        captured,
        [
            r#"c writer/items "before" 1"#.to_owned(),
            r#"c writer/items "after" 2"#.to_owned()
        ]
    );
    Ok(())
}

lab::in_both_browsers!(
    keys_are_those_that_the_database_took,
    what_accessors_wrote_is_read_before_it_is_overwritten,
    a_page_that_stops_its_events_hides_no_commit,
    surroundings_are_as_without_us,
    nothing_is_called_under_the_strictest_policy_with_other_built_ins,
    outcome_is_the_native_one_at_the_end_of_the_stack,
    a_write_by_another_windows_method_is_found,
    a_forged_body_reaches_into_no_message,
);

//! Pages that meddle: with what they gave and got, with the built-ins, with events on their way. What arrives is what the database
//! holds, and such a page finds nothing that it would not find without us.

use anyhow::{Result, ensure};
use lab::{
    Rig,
    browser::{Kind, Page},
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
            let told = null;
            {body};
            transaction.oncomplete = () => resolve(told);
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
        transaction.addEventListener('complete', () => (told = calls))",
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

/// What could not be heard of is read again when the page writes next, or goes.
fn a_page_that_stops_its_events_hides_no_commit(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(ODD)?;
    page.evaluate("odd.addEventListener('complete', (event) => event.stopImmediatePropagation(), true)")?;
    page.evaluate(
        "new Promise((resolve) => {
            const transaction = odd.transaction('out', 'readwrite');
            transaction.objectStore('out').put('unheard', 1).onsuccess = () => setTimeout(resolve, 100);
        })",
    )?;
    wait::until("the commit to be found", PATIENCE, || {
        page.evaluate("put('next', 1)")?;
        let found = lines(&rig.stream()?)
            .iter()
            .any(|line| line.ends_with(r#"1 "unheard""#));
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
    const told = [];
    const tell = (name, value) => told.push(`${name}: ${value}`);
    const failure = (name, run) => { try { tell(name, run()); } catch (error) { tell(name, `${error.name}: ${error.message}`); } };
    tell('globals', Object.getOwnPropertyNames(window).filter((name) => /relay|idb/i.test(name)).sort());
    tell('idle', requestIdleCallback(() => {}));
    tell('timer', setTimeout(() => {}));
    const owners = [IDBFactory, IDBDatabase, IDBTransaction, IDBObjectStore, IDBIndex, IDBCursor, IDBKeyRange, IDBRequest];
    for (const { name, prototype } of owners) {
        for (const [key, { value, get, set, ...rest }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
            for (const [half, code] of Object.entries({ value, get, set })) {
                if (typeof code !== 'function') continue;
                const shape = [code.name, code.length, String(code), Object.hasOwn(code, 'prototype'), JSON.stringify(rest)];
                tell(`${name}.${key} ${half}`, shape);
                failure(`${name}.${key} ${half} on nothing`, () => Reflect.apply(code, undefined, []));
                failure(`${name}.${key} ${half} on an object`, () => Reflect.apply(code, {}, [Symbol()]));
                failure(`${name}.${key} ${half} constructed`, () => Reflect.construct(code, []));
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
    const heard = [];
    for (const type of ['load', 'ready', 'stop', 'body', 'survey', 'dev.idb_relay.handshake']) {
        frame.contentWindow.addEventListener(type, (event) => event.isTrusted || heard.push(type), true);
    }
    await new Promise((resolve) => (frame.onload = resolve));
    tell('heard', heard);
    tell('a frame of its own', frame.contentWindow.IDBObjectStore.prototype.put === IDBObjectStore.prototype.put);
    const detached = frame.contentWindow.indexedDB;
    frame.remove();
    failure('a detached document', () => detached?.open('x'));
    return told;
})()";

fn surroundings_are_as_without_us(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let elsewhere = Site::start()?;
    let browser = rig.browser()?;
    // Not granted: nothing of ours runs there. (A host that is granted is so on all its ports.)
    let bare = browser.open(&elsewhere.url("/blank/").replace("localhost", "127.0.0.1"))?;
    let hooked = browser.open(&rig.site.url("/blank/"))?;
    let read = |page: &Page<'_>| -> Result<Vec<String>> {
        Ok(serde_json::from_value(page.evaluate(SURROUNDINGS)?)?)
    };
    // V8 words this with a function's source.
    let compared = |lines: Vec<String>| -> Vec<String> {
        let worded = |line: &String| kind == Kind::Chromium && line.contains(" constructed: TypeError: ");
        lines.into_iter().filter(|line| !worded(line)).collect()
    };
    let (expected, found) = (compared(read(&bare)?), compared(read(&hooked)?));
    ensure!(expected.len() > 200, "only {} lines", expected.len());
    assert_eq!(found, expected);
    Ok(())
}

fn under_the_strictest_policy_with_other_built_ins(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url("/hardened/"))?;
    // Before this its built-ins are called by nobody; evaluating calls some.
    assert_eq!(page.evaluate("window.written")?, json!(""));
    let written = wait::until("the hardened page's value", PATIENCE, || {
        let event = rig
            .stream()?
            .into_iter()
            .find(|event| event.line().starts_with(r#"c hardened/items "value""#));
        Ok(event.map_or_else(|| Seen::Not("nothing".to_owned()), Seen::Ready))
    })?;
    let mut after = written.json()["after"].clone();
    // Firefox's is not the error's own.
    if let Some(error) = after["nested"]["error"]["$error"].as_object_mut() {
        error.remove("stack");
    }
    assert_eq!(
        after,
        json!({
            "date": { "$date": "1970-01-01T00:00:00.005Z" },
            "list": [1, 2],
            "map": { "$map": [["k", 1]] },
            "set": { "$set": [2] },
            "bytes": { "$bytes": { "type": "Uint8Array", "base64": "AQID" } },
            "text": "x",
            "nested": { "error": { "$error": { "name": "RangeError", "message": "m" } } },
        })
    );
    // Read by a page that has all its built-ins.
    let reader = browser.open(&rig.site.url(PAGE))?;
    rig.settled(&reader).map(drop)
}

lab::in_both_browsers!(
    keys_are_those_that_the_database_took,
    what_accessors_wrote_is_read_before_it_is_overwritten,
    a_page_that_stops_its_events_hides_no_commit,
    surroundings_are_as_without_us,
    under_the_strictest_policy_with_other_built_ins,
);

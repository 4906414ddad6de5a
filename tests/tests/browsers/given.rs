//! What a page was given is its own: it changes keys and key paths, forgets connections, gives
//! names that cannot be sent. What arrives is what the database holds, and nothing is kept that the
//! page let go.

use anyhow::{Result, ensure};
use lab::{
    Rig,
    browser::{Kind, Page},
    observe::Event,
    wait::{self, PATIENCE, Seen},
};
use serde_json::{Value, json};

const PAGE: &str = "/writer/";

/// A database `given`; `given` is the connection.
const GIVEN: &str = "new Promise((resolve) => {
    const request = indexedDB.open('given', 1);
    request.onupgradeneeded = () => {
        request.result.createObjectStore('out');
        request.result.createObjectStore('in', { keyPath: ['a', 'b.c'] });
        request.result.createObjectStore('counted', { keyPath: 'id', autoIncrement: true });
    };
    request.onsuccess = () => resolve(void (window.given = request.result));
})";

/// Runs a function of a transaction on all stores of `given` until it commits.
fn transact(page: &Page<'_>, body: &str) -> Result<Value> {
    page.evaluate(&format!(
        "new Promise((resolve) => {{
            const names = ['out', 'in', 'counted'];
            const transaction = given.transaction(names, 'readwrite');
            const [out, inside, counted] = names.map((name) => transaction.objectStore(name));
            {body};
            transaction.oncomplete = () => resolve();
        }})"
    ))
}

fn lines(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter(|event| event.database() == "given" && event.op() != "s")
        .map(Event::line)
        .collect()
}

/// Engines give the same object out again, and so the page finds what it did to it.
fn keys_and_key_paths_may_be_changed(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(GIVEN)?;
    rig.settled(&page)?;
    transact(
        &page,
        "inside.keyPath.reverse();
        inside.put({ a: 1, b: { c: 2 } });
        out.put('first', ['x', 1]);
        out.put('second', ['y', 2]);",
    )?;
    transact(
        &page,
        "let turn = 0;
        out.openCursor().onsuccess = ({ target: { result: cursor } }) => {
            if (cursor === null) return;
            cursor.primaryKey.reverse();
            cursor.key[0] = 'other';
            if (turn++ === 0) cursor.update('again');
            else cursor.delete();
            cursor.continue();
        };",
    )?;
    let mut lines = lines(&rig.settled(&page)?);
    // Requests of two stores.
    lines[..3].sort();
    assert_eq!(
        lines,
        [
            r#"c given/in [1,2] {"a":1,"b":{"c":2}}"#,
            r#"c given/out ["x",1] "first""#,
            r#"c given/out ["y",2] "second""#,
            r#"u given/out ["x",1] "again""#,
            r#"d given/out ["y",2]"#,
        ]
    );
    Ok(())
}

/// The database deletes by the bounds that the range was made with.
fn bounds_of_ranges_may_be_changed(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(GIVEN)?;
    rig.settled(&page)?;
    for (upper, changed, left) in [("z", "c", vec!["a"]), ("c", "z", vec!["a", "m", "y"])] {
        transact(&page, "for (const key of ['a', 'm', 'y']) out.put(key, [key])")?;
        let before = rig.settled(&page)?.len();
        transact(
            &page,
            &format!(
                "const range = IDBKeyRange.bound(['b'], ['{upper}']);
                range.lower.push('more');
                range.upper[0] = '{changed}';
                out.delete(range);"
            ),
        )?;
        let mut published = lines(&rig.settled(&page)?[before..]);
        published.retain(|line| line.starts_with("d "));
        let deleted: Vec<String> = ["a", "m", "y"]
            .into_iter()
            .filter(|key| !left.contains(key))
            .map(|key| format!(r#"d given/out ["{key}"]"#))
            .collect();
        assert_eq!(published, deleted);
    }
    Ok(())
}

/// The accessors of a window that has no hook work on this window's objects, too; `theirs` gets a
/// member by them.
const THEIRS: &str = "(() => {
    const frame = document.createElement('iframe');
    frame.sandbox = 'allow-same-origin';
    frame.src = '/blank/';
    document.body.append(frame);
    window.theirs = (owner, name, of) =>
        Object.getOwnPropertyDescriptor(frame.contentWindow[owner].prototype, name).get.call(of);
})()";

/// The database writes and deletes where the cursor is, no matter what the page makes of its key.
fn keys_of_cursors_may_be_changed_by_another_windows_accessors(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(GIVEN)?;
    page.evaluate(THEIRS)?;
    rig.settled(&page)?;
    transact(
        &page,
        "for (const name of ['a', 'b', 'c', 'd']) out.put(name, [name]);
        for (const name of ['e', 'f']) inside.put({ a: name, b: { c: 1 } });",
    )?;
    let before = rig.settled(&page)?.len();
    transact(
        &page,
        "out.openCursor().onsuccess = ({ target: { result: cursor } }) => {
            if (cursor === null) return;
            const key = theirs('IDBCursor', 'primaryKey', cursor);
            const [name] = key;
            key[0] = name === 'd' ? 'none' : 'd';
            if (name === 'a') cursor.delete();
            if (name === 'b') cursor.update('changed');
            // A value with an accessor is read back.
            if (name === 'c') cursor.update({ get x() { return 1; } });
            if (name === 'd') cursor.delete();
            cursor.continue();
        };
        inside.openCursor().onsuccess = ({ target: { result: cursor } }) => {
            if (cursor === null) return;
            const key = theirs('IDBCursor', 'primaryKey', cursor);
            const [name] = key;
            key[0] = 'e';
            if (name === 'e') cursor.update({ ...cursor.value, more: true });
            if (name === 'f') cursor.delete();
            cursor.continue();
        };",
    )?;
    let mut published = lines(&rig.settled(&page)?[before..]);
    published.sort();
    assert_eq!(
        published,
        [
            r#"d given/in ["f",1]"#,
            r#"d given/out ["a"]"#,
            r#"d given/out ["d"]"#,
            r#"u given/in ["e",1] {"a":"e","b":{"c":1},"more":true}"#,
            r#"u given/out ["b"] "changed""#,
            r#"u given/out ["c"] {"x":1}"#,
        ]
    );
    Ok(())
}

/// A deletion by a cursor that was opened unseen is not guessed: the store is read again.
fn deletion_by_a_cursor_that_was_opened_unseen_is_found(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(GIVEN)?;
    page.evaluate(THEIRS)?;
    rig.settled(&page)?;
    transact(&page, "for (const name of ['a', 'b']) out.put(name, [name]);")?;
    let before = rig.settled(&page)?.len();
    transact(
        &page,
        "const { openCursor } = document.querySelector('iframe').contentWindow.IDBObjectStore.prototype;
        openCursor.call(out).onsuccess = ({ target: { result: cursor } }) => {
            theirs('IDBCursor', 'primaryKey', cursor)[0] = 'b';
            cursor.delete();
        };",
    )?;
    let published = lines(&rig.settled(&page)?[before..]);
    assert_eq!(published, [r#"d given/out ["a"]"#]);
    Ok(())
}

/// The database deletes by the bounds that the range was made with.
fn bounds_may_be_changed_by_another_windows_accessors(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(GIVEN)?;
    page.evaluate(THEIRS)?;
    rig.settled(&page)?;
    for (range, left) in [
        ("IDBKeyRange.bound(['b'], ['n'])", "ay"),
        ("IDBKeyRange.lowerBound(['b'])", "a"),
        ("IDBKeyRange.upperBound(['n'])", "y"),
        ("IDBKeyRange.only(['m'])", "ay"),
        ("frames[0].IDBKeyRange.bound(['b'], ['n'])", "ay"),
    ] {
        transact(&page, "for (const key of ['a', 'm', 'y']) out.put(key, [key])")?;
        let before = rig.settled(&page)?.len();
        transact(
            &page,
            &format!(
                "const range = {range};
                for (const name of ['lower', 'upper']) {{
                    const bound = theirs('IDBKeyRange', name, range);
                    if (bound !== undefined) bound[0] = name === 'lower' ? 'a' : 'z';
                }}
                out.delete(range);"
            ),
        )?;
        let mut published = lines(&rig.settled(&page)?[before..]);
        published.retain(|line| line.starts_with("d "));
        let deleted: Vec<String> = ["a", "m", "y"]
            .into_iter()
            .filter(|key| !left.contains(key))
            .map(|key| format!(r#"d given/out ["{key}"]"#))
            .collect();
        assert_eq!(published, deleted, "{range}");
    }
    Ok(())
}

/// The database takes the key before it clones the value. An accessor in the value that replaces
/// itself by what it returned is not there afterwards.
fn key_that_an_accessor_of_the_value_changes_is_the_one_before(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(GIVEN)?;
    rig.settled(&page)?;
    transact(
        &page,
        "const once = (change) => ({
            get x() {
                change();
                Object.defineProperty(this, 'x', { value: 1, enumerable: true });
                return 1;
            },
        });
        const key = ['taken'];
        out.put(once(() => (key[0] = 'changed')), key);
        const date = new Date(1);
        out.add(once(() => date.setTime(2)), date);
        const bytes = new Uint8Array([1, 2]);
        out.put(once(() => (bytes[0] = 9)), bytes);
        inside.put({ a: ['p'], b: { c: 1 } });
        out.put('taken', ['taken', 2]).onsuccess = ({ target }) => (target.result[0] = 'changed');
        transaction.addEventListener('success', ({ target: { result } }) => {
            if (Array.isArray(result)) result[0] = 'changed';
        }, true);",
    )?;
    let published = lines(&rig.settled(&page)?);
    assert_eq!(
        published,
        [
            r#"c given/out ["taken"] {"x":1}"#,
            r#"c given/out {"$date":"1970-01-01T00:00:00.001Z"} {"x":1}"#,
            r#"c given/out {"$bytes":{"base64":"AQI=","type":"ArrayBuffer"}} {"x":1}"#,
            r#"c given/in [["p"],1] {"a":["p"],"b":{"c":1}}"#,
            r#"c given/out ["taken",2] "taken""#,
        ]
    );
    Ok(())
}

/// A value with accessors is read back once its key is known: by then another one may stand there.
fn value_read_back_late_is_no_later_one(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(GIVEN)?;
    rig.settled(&page)?;
    // The same object three times, as an observable one is put; another key in between; a list.
    transact(
        &page,
        "let n = 0;
        const row = { get id() { return 7; }, get n() { return n; } };
        for (; n < 3; n++) counted.put(row);
        counted.put({ id: 8, n: 'plain' });
        const list = Object.defineProperty([0], 0, { get: () => n, enumerable: true });
        const key = Object.defineProperty([0], 0, { get: () => 'k', enumerable: true });
        for (n = 10; n < 12; n++) out.put(list, key);
        counted.put({ get id() { return 9; }, get n() { return 'gone'; } });
        counted.delete(9);
        counted.put({ get id() { return 8; }, get n() { return 'last'; } });",
    )?;
    let events = rig.settled(&page)?;
    let published = |key: &Value| -> Vec<String> {
        let mut events = lines_of(&events, key);
        events.retain(|line| !line.contains("overwritten"));
        events
    };
    assert_eq!(published(&json!(7)), [r#"u given/counted 7 {"id":7,"n":2}"#]);
    assert_eq!(
        published(&json!(8)),
        [
            r#"c given/counted 8 {"id":8,"n":"plain"}"#,
            r#"u given/counted 8 {"id":8,"n":"last"}"#
        ]
    );
    assert_eq!(published(&json!(9)), ["d given/counted 9"]);
    assert_eq!(published(&json!(["k"])), [r#"u given/out ["k"] [11]"#]);
    Ok(())
}

/// The lines of the events of one key.
fn lines_of(events: &[Event], key: &Value) -> Vec<String> {
    let events = events.iter().filter(|event| event.json()["key"] == *key);
    events.map(Event::line).collect()
}

/// The database looks for a key in the clone.
fn what_is_not_cloned_is_no_key(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(GIVEN)?;
    rig.settled(&page)?;
    transact(
        &page,
        "counted.put(Object.defineProperty({}, 'id', { value: [9] }));
        counted.put({ list: [1] });",
    )?;
    let lines = lines(&rig.settled(&page)?);
    assert_eq!(
        lines,
        [
            r#"c given/counted 1 {"id":1}"#,
            r#"c given/counted 2 {"id":2,"list":[1]}"#,
        ]
    );
    // Firefox itself gets stuck in these.
    if kind == Kind::Chromium {
        transact(
            &page,
            "counted.put(Object.assign(new Map(), { id: [5] }));
            counted.put(Object.assign(new Date(0), { id: new Date(5) }));",
        )?;
        rig.settled(&page)?;
    }
    Ok(())
}

/// Chromium keeps a connection that has listeners, and what is kept open holds up upgrades and
/// deletions.
#[test]
fn connections_that_are_forgotten_are_collected() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(
        "(async () => {
            const use = () => new Promise((resolve) => {
                const request = indexedDB.open('forgotten', 1);
                request.onupgradeneeded = () => request.result.createObjectStore('items');
                request.onsuccess = () => {
                    const transaction = request.result.transaction('items', 'readwrite');
                    transaction.objectStore('items').put({ get a() { return 1; } }, 1);
                    transaction.oncomplete = () => resolve();
                };
            });
            for (let turn = 0; turn < 5; turn++) await use();
            indexedDB.deleteDatabase('forgotten').onsuccess = () => (window.isDeleted = true);
        })()",
    )?;
    // It waits for the connections. A collection inside a call takes what it finds on the stack for
    // references, and what is left there by chance keeps a connection for a while.
    page.wait_for("gc({ execution: 'async' }).then(() => window.isDeleted === true)")
}

/// Names with lone surrogates, and those that are too long, are left out; what stands beside them
/// is not.
fn unsendable_names_hold_nothing_up(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let taken = page.evaluate(
        r"new Promise((resolve) => {
            const request = indexedDB.open('given', 1);
            request.onupgradeneeded = () => {
                const ok = request.result.createObjectStore('ok');
                const unsent = request.result.createObjectStore('\udc00store');
                const renamed = request.result.createObjectStore('renamed');
                const long = 'n'.repeat(1025);
                request.result.createObjectStore(long).put('unsent', 1);
                ok.createIndex(long, 'a');
                ok.createIndex('\ud800', 'a');
                renamed.put('gone', 1);
                renamed.name = '\udc00';
                ok.put('beside', 1);
                unsent.put('unsent', 1);
                ok.put('beside', 2);
            };
            request.onsuccess = () => resolve(true);
            request.onerror = () => resolve(String(request.error));
        })",
    )?;
    assert_eq!(taken, json!(true));
    page.evaluate(
        r"new Promise((resolve) => {
            const request = indexedDB.open('\ud800');
            request.onsuccess = request.onerror = () => resolve();
        })",
    )?;
    page.evaluate(
        r"new Promise((resolve) => {
            const request = indexedDB.open('n'.repeat(1025));
            request.onupgradeneeded = () => request.result.createObjectStore('ok').put('unsent', 1);
            request.onsuccess = request.onerror = () => resolve();
        })",
    )?;
    page.evaluate("put('last', 1)")?;
    let events = wait::until("the last write", PATIENCE, || {
        let events = rig.stream()?;
        let last = events.iter().any(|event| event.json()["key"] == "last");
        Ok(if last {
            Seen::Ready(events)
        } else {
            Seen::Not(format!("{} events", events.len()))
        })
    })?;
    let beside: Vec<_> = lines(&events)
        .into_iter()
        .filter(|line| line.contains("beside"))
        .collect();
    assert_eq!(beside, [r#"c given/ok 1 "beside""#, r#"c given/ok 2 "beside""#]);
    let published = lines(&events).join("\n");
    ensure!(
        !published.contains("unsent") && !published.contains("nnnn"),
        "{published}"
    );
    Ok(())
}

fn store_renamed_to_a_sendable_name_is_read(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    for (version, name) in [(1, r"'\udc00'"), (2, "'n'.repeat(1025)")] {
        page.evaluate(&format!(
            r"new Promise((resolve, reject) => {{
                const request = indexedDB.open('renamed', {version});
                request.onupgradeneeded = () => {{
                    const store = request.result.createObjectStore({name});
                    store.put('before', 1);
                    store.name = 'store {version}';
                }};
                request.onsuccess = () => (request.result.close(), resolve());
                request.onerror = () => reject(request.error);
            }})"
        ))?;
        rig.settled(&page)?;
    }
    Ok(())
}

/// A key that names one buffer several times, or a view of little of its buffer, is short in the
/// database.
fn records_are_deleted_by_keys_that_are_written_otherwise(kind: Kind) -> Result<()> {
    const KEYS: &str = "const several = Array(4).fill(new Uint8Array(3000).fill(7).buffer);
        const little = new Uint8Array(2_000_000).fill(1).subarray(5, 15);";
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(GIVEN)?;
    transact(
        &page,
        &format!("{KEYS} out.put(1, several); out.put(2, little); out.put(3, 'stays');"),
    )?;
    let events = rig.settled(&page)?;
    assert_eq!(lines(&events).len(), 3);
    transact(&page, &format!("{KEYS} out.delete(several); out.delete(little);"))?;
    let published = lines(&rig.settled(&page)?);
    let deleted = published.iter().filter(|line| line.starts_with("d ")).count();
    ensure!(deleted == 2 && published.len() == 5, "{} events", published.len());
    Ok(())
}

/// Another window's accessors give out what the engine gives to ours, too.
fn no_accessor_in_what_was_given_is_called(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate(GIVEN)?;
    transact(&page, "out.put('first', ['x', 1]); out.put('second', ['y', 2]);")?;
    transact(
        &page,
        "const frame = document.createElement('iframe');
        frame.sandbox = 'allow-same-origin';
        frame.src = '/blank/';
        document.body.append(frame);
        const { IDBCursor, IDBObjectStore } = frame.contentWindow;
        const getter = ({ prototype }, name) => Object.getOwnPropertyDescriptor(prototype, name).get;
        window.calls = [];
        const spy = (list, value, where) => Object.defineProperty(list, 0, {
            get: () => (window.calls.push(where), value), enumerable: true, configurable: true,
        });
        spy(getter(IDBObjectStore, 'keyPath').call(inside), 'a', 'key path');
        inside.put({ a: 1, b: { c: 2 } });
        void inside.keyPath;
        given.addEventListener('success', ({ target: { result } }) => {
            if (result instanceof window.IDBCursor) {
                spy(getter(IDBCursor, 'primaryKey').call(result), result.value === 'first' ? 'x' : 'y', 'key of a cursor');
            }
        }, true);
        out.openCursor().onsuccess = ({ target: { result: cursor } }) => {
            if (cursor === null) return;
            if (cursor.value === 'first') cursor.delete(); else cursor.update('changed');
            void cursor.primaryKey;
            cursor.continue();
        };",
    )?;
    rig.settled(&page)?;
    assert_eq!(page.evaluate("calls")?, json!([]));
    Ok(())
}

lab::in_both_browsers!(
    no_accessor_in_what_was_given_is_called,
    records_are_deleted_by_keys_that_are_written_otherwise,
    store_renamed_to_a_sendable_name_is_read,
    keys_and_key_paths_may_be_changed,
    bounds_of_ranges_may_be_changed,
    bounds_may_be_changed_by_another_windows_accessors,
    keys_of_cursors_may_be_changed_by_another_windows_accessors,
    deletion_by_a_cursor_that_was_opened_unseen_is_found,
    key_that_an_accessor_of_the_value_changes_is_the_one_before,
    value_read_back_late_is_no_later_one,
    what_is_not_cloned_is_no_key,
    unsendable_names_hold_nothing_up,
);

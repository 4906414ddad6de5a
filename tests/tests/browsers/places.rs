//! Writes from every kind of document and from every bucket are captured, not found later by
//! comparison.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Kind, Page},
    observe::Event,
    site::Site,
    wait::{self, PATIENCE, Seen},
};

const PAGE: &str = "/places/";

/// The keys of the events with this operation.
fn keys<'e>(events: &'e [Event], op: &str) -> BTreeSet<&'e str> {
    events
        .iter()
        .filter(|event| event.op() == op)
        .filter_map(|event| event.json()["key"].as_str())
        .collect()
}

fn every_document_of_the_origin_is_captured(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let places = page.evaluate("putEverywhere()")?;
    let expected: BTreeSet<&str> = places
        .as_array()
        .context("a list")?
        .iter()
        .filter_map(serde_json::Value::as_str)
        .collect();
    ensure!(expected.len() == 11, "{expected:?}");
    let events = rig.settled(&page)?;
    assert_eq!(keys(&events, "c"), expected);
    Ok(())
}

/// A frame's transactions commit without it.
fn a_frame_that_is_removed_takes_no_commit_along(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("putBy(indexedDB, 'mine', 1)")?;
    rig.settled(&page)?;
    page.evaluate(
        "(async () => {
            const frame = document.createElement('iframe');
            frame.srcdoc = '<p>A frame.</p>';
            document.body.append(frame);
            await new Promise((resolve) => (frame.onload = resolve));
            const connection = await new Promise((resolve) => {
                const request = frame.contentWindow.indexedDB.open('removed', 1);
                request.onupgradeneeded = () => request.result.createObjectStore('items');
                request.onsuccess = () => resolve(request.result);
            });
            const transaction = connection.transaction('items', 'readwrite');
            transaction.objectStore('items').put('left behind', 'key');
            transaction.commit();
            frame.remove();
        })()",
    )?;
    wait::until("the frame's commit", PATIENCE, || {
        let found = rig
            .stream()?
            .iter()
            .any(|event| event.json()["after"] == "left behind");
        Ok(if found {
            Seen::Ready(())
        } else {
            Seen::Not("no event of it".to_owned())
        })
    })?;
    rig.settled(&page).map(drop)
}

fn a_page_that_comes_back_is_captured_again(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("(window.mark = 1, putBy(indexedDB, 'before', 1))")?;
    rig.settled(&page)?;
    page.navigate(&rig.site.url("/blank/"))?;
    page.evaluate("void history.back()")?;
    page.wait_for("typeof putBy === 'function'")?;
    page.evaluate("putBy(indexedDB, 'after', window.mark ?? 'loaded again')")?;
    let events = rig.settled(&page)?;
    assert_eq!(keys(&events, "c"), BTreeSet::from(["before", "after"]));
    // Firefox loads pages again when it is driven, without the extension as well.
    if kind == Kind::Chromium {
        let after = events.iter().find(|event| event.json()["key"] == "after");
        assert_eq!(
            after.context("an event")?.json()["after"],
            1,
            "it was loaded again"
        );
    }
    Ok(())
}

/// `document.open()` removes all listeners of the document and of its window, ours too.
fn a_page_that_was_written_over_is_captured_when_it_comes_back(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("(window.mark = 1, putBy(indexedDB, 'before', 1))")?;
    rig.settled(&page)?;
    page.evaluate(
        "(document.open(), document.write('<title>Written</title><p>Over.</p>'), document.close(), putBy(indexedDB, 'written', 1))",
    )?;
    rig.settled(&page)?;
    page.navigate(&rig.site.url("/blank/"))?;
    page.evaluate("void history.back()")?;
    page.wait_for("typeof putBy === 'function'")?;
    page.evaluate("putBy(indexedDB, 'after', window.mark ?? 'loaded again')")?;
    let events = rig.settled(&page)?;
    assert_eq!(keys(&events, "c"), BTreeSet::from(["before", "written", "after"]));
    // Firefox loads pages again when it is driven, without us as well.
    if kind == Kind::Chromium {
        let after = events.iter().find(|event| event.json()["key"] == "after");
        assert_eq!(
            after.context("an event")?.json()["after"],
            1,
            "it was loaded again"
        );
    }
    Ok(())
}

/// Browsers give a frame in another site's page databases of its own: they must not pass for those
/// of the origin's own pages.
fn a_frame_in_another_sites_page_changes_nothing(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("putBy(indexedDB, 'mine', 1)")?;
    rig.settled(&page)?;
    let elsewhere = rig.site.url(PAGE).replace("localhost", "127.0.0.1");
    let other = browser.open(&elsewhere)?;
    other.evaluate(&format!("embed({:?})", rig.site.url("/places/#write")))?;
    page.evaluate("putBy(indexedDB, 'after', 1)")?;
    let events = rig.settled(&page)?;
    assert_eq!(keys(&events, "c"), BTreeSet::from(["mine", "after"]));
    assert_eq!(keys(&events, "d"), BTreeSet::new());
    Ok(())
}

/// Firefox has no storage buckets.
#[test]
fn a_bucket_has_databases_of_its_own() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("putBy(indexedDB, 'key', 'default')")?;
    page.evaluate(
        "navigator.storageBuckets.open('drafts').then((bucket) => putBy(bucket.indexedDB, 'key', 'draft'))",
    )?;
    let events = rig.settled(&page)?;
    let creations: Vec<_> = events
        .iter()
        .filter(|event| event.op() == "c")
        .map(|event| (event.json()["source"]["bucket"].as_str(), event.line()))
        .collect();
    assert_eq!(
        creations,
        [
            (Some(""), r#"c places/items "key" "default""#.to_owned()),
            (Some("drafts"), r#"c places/items "key" "draft""#.to_owned()),
        ]
    );

    // Unseen writes are found in buckets too; and a bucket that goes takes its records along.
    browser.quit()?;
    let bare = rig.profile.start(&lab::browser::Launch::default())?;
    bare.open(&rig.site.url(PAGE))?.evaluate(
        "navigator.storageBuckets.open('drafts').then((bucket) => putBy(bucket.indexedDB, 'key', 'unseen'))",
    )?;
    bare.quit()?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(PAGE))?;
    let events = rig.settled(&page)?;
    assert_eq!(keys(&events, "r"), BTreeSet::from(["key"]));
    page.evaluate("navigator.storageBuckets.delete('drafts')")?;
    let events = rig.settled(&page)?;
    assert_eq!(keys(&events, "d"), BTreeSet::from(["key"]));
    Ok(())
}

/// What a page that was enabled while it was open does on connections and factories from before.
#[test]
fn bucket_of_a_late_page_is_not_the_default_one() -> Result<()> {
    let rig = Rig::without_consent(Kind::Chromium)?;
    let browser = rig.browser_at_once(false)?;
    let url = rig.site.url(PAGE);
    let page = browser.open(&url)?;
    page.evaluate("putBy(indexedDB, 'key', 'default')")?;
    page.evaluate(
        "(async () => {
            window.factory = (await navigator.storageBuckets.open('drafts')).indexedDB;
            await putBy(factory, 'key', 'draft');
            window.kept = await done(factory.open('places'));
            window.inBucket = async (write) => {
                const transaction = kept.transaction('items', 'readwrite');
                write(transaction.objectStore('items'));
                await new Promise((resolve) => (transaction.oncomplete = resolve));
            };
        })()",
    )?;
    let popup = lab::pages::popup(&browser, &url)?;
    lab::pages::words(&popup, "This site is not captured")?;
    popup.evaluate("document.getElementById('capture').click()")?;
    lab::pages::words(&popup, "Capturing.")?;
    rig.settled(&page)?;
    for act in [
        "inBucket((items) => items.put('secret', 'key'))",
        "inBucket((items) => items.clear())",
        "(kept.close(), done(factory.deleteDatabase('places')))",
    ] {
        page.evaluate(act)?;
        let events = rig.settled(&page).context(act)?;
        let of_default: Vec<_> = events
            .iter()
            .filter(|event| event.json()["source"]["bucket"] == "")
            .map(Event::line)
            .collect();
        assert_eq!(of_default, [r#"r places/items "key" "default""#], "after {act}");
    }
    // Databases opened from now on are captured as usual.
    page.evaluate("putBy(indexedDB, 'later', 1)")?;
    let events = rig.settled(&page)?;
    assert_eq!(keys(&events, "c"), BTreeSet::from(["later"]));
    Ok(())
}

fn a_frames_to_string_knows_its_parents_methods(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url("/writer/"))?;
    page.evaluate("put('before', 1)")?;
    rig.settled(&page)?;
    let texts = page.evaluate(
        "(async () => { \
            const frame = document.createElement('iframe'); \
            document.body.append(frame); \
            const asked = (theirs, ours) => theirs.Function.prototype.toString.call(ours); \
            const both = () => { \
                const other = frame.contentWindow; \
                const name = (scope) => Object.getOwnPropertyDescriptor(scope.IDBObjectStore.prototype, 'name').set; \
                return [ \
                    asked(other, IDBObjectStore.prototype.put), asked(window, other.IDBObjectStore.prototype.put), \
                    asked(other, Function.prototype.toString).replace('toString', 'put'), \
                    asked(other, name(window)).replace(/(set )?name(?=[(])/, 'put'), asked(window, name(other)).replace(/(set )?name(?=[(])/, 'put'), \
                ]; \
            }; \
            const texts = [String(IDBObjectStore.prototype.put), ...both()]; \
            frame.src = '/writer/'; \
            await new Promise((resolve) => (frame.onload = resolve)); \
            return [...texts, ...both()]; \
        })()",
    )?;
    let texts = texts.as_array().context("texts")?;
    ensure!(
        texts[0]
            .as_str()
            .is_some_and(|text| text.contains("[native code]")),
        "{texts:?}"
    );
    ensure!(texts.iter().all(|text| *text == texts[0]), "{texts:#?}");
    // What a page makes up itself shows as it is, and nothing of the page runs to find that out.
    let own = page.evaluate(
        "(() => { \
            let asked = 0; \
            const bait = new Proxy(function () {}, { getPrototypeOf() { asked++; return null; }, get() { asked++; } }); \
            const text = Function.prototype.toString.call(bait); \
            return [asked, text.includes('native code'), Function.prototype.toString.call(function own() {})]; \
        })()",
    )?;
    assert_eq!(own, serde_json::json!([0, true, "function own() {}"]));
    Ok(())
}

/// Frames have a window before they have our hook, and some never get one.
fn methods_look_native_from_windows_without_a_hook(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let elsewhere = Site::start()?;
    let browser = rig.browser()?;
    let look = r"(async () => {
        const texts = [];
        const look = (where, other) => {
            const print = (code) => other.Function.prototype.toString.call(code);
            for (const owner of [IDBFactory, IDBDatabase, IDBObjectStore, IDBIndex, IDBCursor]) {
                for (const [name, halves] of Object.entries(Object.getOwnPropertyDescriptors(owner.prototype))) {
                    for (const half of ['value', 'get', 'set']) {
                        if (typeof halves[half] === 'function') texts.push(`${where}: ${name} ${half} ${print(halves[half])}`);
                    }
                }
            }
            texts.push(print(Function.prototype.toString));
        };
        look('own', window);
        const frame = (attributes) => {
            const element = Object.assign(document.createElement('iframe'), attributes);
            document.body.append(element);
            return element;
        };
        for (const attributes of [
            { src: '/blank/' },
            { srcdoc: 'text' },
            { sandbox: 'allow-same-origin', src: '/blank/' },
            { sandbox: 'allow-same-origin', srcdoc: 'text' },
            {},
        ]) {
            const element = frame(attributes);
            look(JSON.stringify(attributes) + ' at once', element.contentWindow);
            if (Object.keys(attributes).length > 0) await new Promise((resolve) => (element.onload = resolve));
            look(JSON.stringify(attributes), element.contentWindow);
        }
        return texts;
    })()";
    let bare = browser.open(&elsewhere.url("/blank/").replace("localhost", "127.0.0.1"))?;
    let texts =
        |page: &Page<'_>| -> Result<Vec<String>> { Ok(serde_json::from_value(page.evaluate(look)?)?) };
    let expected = texts(&bare)?;
    ensure!(expected.len() > 500, "only {} texts", expected.len());
    let page = browser.open(&rig.site.url("/blank/"))?;
    let found = texts(&page)?;
    let different = found
        .iter()
        .zip(&expected)
        .find(|(found, expected)| found != expected);
    ensure!(different.is_none(), "{different:#?}");
    assert_eq!(found.len(), expected.len());
    Ok(())
}

lab::in_both_browsers!(
    a_frames_to_string_knows_its_parents_methods,
    every_document_of_the_origin_is_captured,
    a_frame_that_is_removed_takes_no_commit_along,
    a_page_that_comes_back_is_captured_again,
    a_page_that_was_written_over_is_captured_when_it_comes_back,
    methods_look_native_from_windows_without_a_hook,
    a_frame_in_another_sites_page_changes_nothing,
);

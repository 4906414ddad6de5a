//! Whose databases they are: documents that only share an origin's name with the page never change
//! what is held of it.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use lab::{
    Rig,
    browser::{Browser, Kind, Page},
    pages::{look_at, popup, words},
    site::Site,
};
use serde_json::{Value, json};

const PAGE: &str = "/identity/";

/// A value for the fragment of an address.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            let _infallible = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// The address of a page that shows another one in a frame. Of three documents inside each other
/// two must differ in more than the fragment, or browsers do not load the third.
pub fn showing(url: &str, inner: &str) -> String {
    format!("{url}#embed={}", encoded(inner))
}

/// The same server under another name, which is another site.
pub fn elsewhere(url: &str) -> String {
    url.replace("localhost", "127.0.0.1")
}

/// A page of the captured origin that has written, with the popup of its tab.
fn page_and_popup<'b>(rig: &Rig, browser: &'b Browser) -> Result<(Page<'b>, Page<'b>)> {
    let url = rig.site.url(PAGE);
    let page = browser.open(&url)?;
    page.evaluate("put('key', 'outer')")?;
    rig.settled(&page)?;
    let popup = popup(browser, &url)?;
    words(&popup, "Captured: 1 document.")?;
    Ok((page, popup))
}

/// Writes once more in the page; then the stream has what the page has written, and nothing else.
fn stream_has_the_page_only(rig: &Rig, page: &Page<'_>) -> Result<()> {
    page.evaluate("put('after', 1)")?;
    let events = rig.settled(page)?;
    let lines: Vec<String> = events.iter().map(lab::observe::Event::line).collect();
    let expected = [
        r#"c identity/items "key" "outer""#.to_owned(),
        r#"c identity/items "after" 1"#.to_owned(),
    ];
    ensure!(lines.get(1..) == Some(&expected), "behind the schema: {lines:#?}");
    Ok(())
}

/// A frame of the page's own origin, with a document of another site in between.
fn frame_below_another_site_changes_nothing(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let (page, popup) = page_and_popup(&rig, &browser)?;
    let inner = rig.site.url("/identity/?inner#put=inner");
    let between = showing(&elsewhere(&rig.site.url(PAGE)), &inner);
    let found = page.evaluate(&format!("embed({between:?})"))?;
    ensure!(found == json!(null), "it has the page's databases: {found}");
    words(&popup, "1 frame is left out")?;
    let other_site = elsewhere(&rig.site.origin());
    popup.wait_for(&format!(
        "document.getElementById('remark').textContent.includes({other_site:?})"
    ))?;
    look_at(&popup, &format!("popup-left-out-{}", kind.name()))?;
    stream_has_the_page_only(&rig, &page)?;

    // Loaded again, each with what it has.
    page.reload()?;
    let found = page.evaluate(&format!("embed({between:?})"))?;
    ensure!(found == json!("inner"), "its databases are gone: {found}");
    words(&popup, "1 frame is left out")?;
    rig.settled(&page)?;
    ensure!(rig.stream()?.len() == 3, "an event came from the frame");

    // The popup forgets a frame with its page.
    page.reload()?;
    popup.wait_for("!document.getElementById('words').textContent.includes('left out')")
}

/// The page around it is another origin's, whose window has the frame under its name.
fn frame_named_like_a_member_of_windows_is_captured(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let neighbour = Site::start()?;
    let browser = rig.browser()?;
    let (page, _popup) = page_and_popup(&rig, &browser)?;
    let top = browser.open(&neighbour.url(PAGE))?;
    for (name, before) in [("origin", "outer"), ("toJSON", "origin")] {
        let inner = rig.site.url(&format!("/identity/?inner#put={name}"));
        let found = top.evaluate(&format!("embed({inner:?}, {{ name: {name:?} }})"))?;
        ensure!(found == json!(before), "it has other databases: {found}");
        lab::wait::until("the frame's write", lab::wait::PATIENCE, || {
            let published = rig.stream()?.iter().any(|event| event.json()["after"] == name);
            Ok(if published {
                lab::wait::Seen::Ready(())
            } else {
                lab::wait::Seen::Not("nothing of it".to_owned())
            })
        })?;
    }
    rig.settled(&page).map(drop)
}

/// Frames of one site have the page's databases, on any port: they are captured.
fn frames_of_the_same_site_are_captured(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let neighbour = Site::start()?;
    let browser = rig.browser()?;
    let (page, _popup) = page_and_popup(&rig, &browser)?;
    let inner = |value: &str| rig.site.url(&format!("/identity/?inner#put={value}"));
    // In a page of the neighbour; in that of another one's frame there; and in the neighbour's
    // frame in a page of our own.
    let top = browser.open(&neighbour.url(PAGE))?;
    for (holder, url, before, value) in [
        (&top, inner("first"), "outer", "first"),
        (
            &top,
            showing(&neighbour.url(PAGE), &inner("second")),
            "first",
            "second",
        ),
        (
            &top,
            showing(&rig.site.url(PAGE), &inner("third")),
            "second",
            "third",
        ),
        (
            &page,
            showing(&neighbour.url(PAGE), &inner("fourth")),
            "third",
            "fourth",
        ),
        (
            &page,
            showing(&rig.site.url(PAGE), &inner("fifth")),
            "fourth",
            "fifth",
        ),
    ] {
        let found = holder.evaluate(&format!("embed({url:?})"))?;
        ensure!(
            found == json!(before),
            "{value}: it has other databases than the page: {found}"
        );
        let events = rig.settled(&page)?;
        // A frame that has just loaded may read what was written meanwhile, too.
        let captured = format!("u identity/items \"key\" {value:?}");
        ensure!(
            events.iter().any(|event| event.line() == captured),
            "{value} was not captured: {events:?}"
        );
    }
    Ok(())
}

/// `document.domain` lets documents of several origins look into each other; it does not change
/// which databases they have.
fn frame_is_judged_by_its_origin_not_by_its_domain(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let (page, popup) = page_and_popup(&rig, &browser)?;
    page.evaluate("void (document.domain = 'localhost')")?;
    let inner = rig.site.url("/identity/?inner#put=inner");
    let between = showing(&elsewhere(&rig.site.url(PAGE)), &inner);
    let found = page.evaluate(&format!("embed({between:?})"))?;
    ensure!(found == json!(null), "it has the page's databases: {found}");
    words(&popup, "1 frame is left out")?;
    stream_has_the_page_only(&rig, &page)
}

/// Chromium throws away what is written in a credentialless frame, and below one. Firefox takes
/// such a frame for an ordinary one.
#[test]
fn frames_with_databases_to_throw_away_change_nothing() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = rig.browser()?;
    let (page, popup) = page_and_popup(&rig, &browser)?;
    let put = rig.site.url("/identity/?inner#put=inner");
    let inside = rig.site.url("/identity/?inner#inside=inner");
    let below = showing(&rig.site.url(PAGE), &put);
    let mut frames = 0;
    for (url, found, written) in [
        (&put, json!(null), 1),
        (&below, json!("inner"), 1),
        (&inside, json!(["inner", "inner", "inner"]), 3),
    ] {
        let answer = page.evaluate(&format!("embed({url:?}, {{ credentialless: '' }})"))?;
        ensure!(answer == found, "{url}: {answer}");
        frames += written;
        let left_out = match frames {
            1 => "1 frame is left out".to_owned(),
            _ => format!("{frames} frames are left out"),
        };
        words(&popup, &left_out)?;
    }
    popup.wait_for("document.getElementById('remark').textContent.includes('thrown away')")?;
    stream_has_the_page_only(&rig, &page)
}

/// An account in a container has databases of its own.
#[test]
fn container_tab_changes_nothing() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let (page, _popup) = page_and_popup(&rig, &browser)?;
    let url = rig.site.url("/identity/?container");
    let container = browser.open_in_container(&url)?;
    let found = container.evaluate("put('key', 'contained')")?;
    ensure!(found == Value::Null, "it has the page's databases: {found}");
    let popup = popup(&browser, &url)?;
    words(&popup, "what is open here is not captured")?;
    popup.wait_for("document.getElementById('remark').textContent.includes('Container tabs')")?;
    look_at(&popup, "popup-container-firefox")?;
    stream_has_the_page_only(&rig, &page)?;

    // Whichever is loaded again, the records stay those of the default container.
    container.reload()?;
    container.evaluate("put('key', 'again')")?;
    words(&popup, "what is open here is not captured")?;
    page.reload()?;
    rig.settled(&page)?;
    ensure!(rig.stream()?.len() == 3, "an event came from the container's tab");
    Ok(())
}

/// How a page uses its own methods on another window's objects, each with the writes that it makes
/// there. `other` is the window.
const OWN_METHODS: [(&str, &str); 4] = [
    (
        "all methods are its own",
        "connected(IDBFactory.prototype.open.call(other.indexedDB, 'identity', 2), (database) => {
            IDBDatabase.prototype.createObjectStore.call(database, 'added');
        }).then((database) => written(IDBDatabase.prototype.transaction.call(database, ['items', 'added'], 'readwrite')))",
    ),
    (
        "the connection is the other's",
        "connected(other.indexedDB.open('identity')).then((database) =>
            written(IDBDatabase.prototype.transaction.call(database, ['items', 'added'], 'readwrite')))",
    ),
    (
        "the transaction is the other's, and so are its stores and cursors",
        "connected(other.indexedDB.open('identity')).then((database) =>
            written(database.transaction(['items', 'added'], 'readwrite')))",
    ),
    (
        "a database goes",
        "connected(IDBFactory.prototype.deleteDatabase.call(other.indexedDB, 'identity'))",
    ),
];

/// What the page does with them.
const WITH_OWN_METHODS: &str = "(() => {
    const connected = (request, upgrade) => new Promise((resolve, reject) => {
        request.onupgradeneeded = () => upgrade(request.result);
        request.onsuccess = () => (window.database?.close(), resolve((window.database = request.result)));
        request.onerror = () => reject(request.error);
        request.onblocked = () => reject(Error('blocked'));
    });
    const written = (transaction) => new Promise((resolve, reject) => {
        const store = IDBTransaction.prototype.objectStore.call(transaction, 'items');
        const { put, add, delete: remove, openCursor } = IDBObjectStore.prototype;
        put.call(store, 'forged', 'key');
        remove.call(store, 'gone');
        const name = `added ${Math.random()}`;
        add.call(transaction.objectStore('added'), 'forged', name);
        openCursor.call(store, 'key').onsuccess = ({ target: { result } }) => {
            IDBCursor.prototype.update.call(result, 'forged again');
        };
        openCursor.call(transaction.objectStore('added'), name).onsuccess = ({ target: { result } }) => {
            IDBCursor.prototype.delete.call(result);
        };
        transaction.oncomplete = () => resolve(transaction.db.close());
        transaction.onabort = () => reject(transaction.error);
    });";

/// A page's methods work on the objects of other windows too, and so on databases that are not the
/// origin's.
fn own_methods_on_a_frame_that_is_left_out_tell_nothing(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let (page, popup) = page_and_popup(&rig, &browser)?;
    let inner = rig.site.url("/identity/?inner#put=inner");
    let between = showing(&elsewhere(&rig.site.url(PAGE)), &inner);
    page.evaluate(&format!("embed({between:?})"))?;
    words(&popup, "1 frame is left out")?;
    for (how, write) in OWN_METHODS {
        page.evaluate(&format!(
            "{WITH_OWN_METHODS} const other = frames[0].frames[0]; return {write}.then(() => null); }})()"
        ))
        .context(how)?;
        // Behind the frame's events, if any.
        page.evaluate(&format!("put('key', {how:?})"))?;
        rig.settled(&page).context(how)?;
    }
    let mut expected = vec![r#"c identity/items "key" "outer""#.to_owned()];
    expected.extend(OWN_METHODS.map(|(how, _)| format!("u identity/items \"key\" {how:?}")));
    let lines: Vec<String> = rig.stream()?.iter().map(lab::observe::Event::line).collect();
    ensure!(lines.get(1..) == Some(&expected), "behind the schema: {lines:#?}");
    Ok(())
}

/// A bucket of another window's is no bucket of the origin's either. Only Chromium has buckets.
#[test]
fn bucket_of_a_frame_that_is_left_out_tells_nothing_in_chromium() -> Result<()> {
    let rig = Rig::new(Kind::Chromium)?;
    let browser = rig.browser()?;
    let (page, popup) = page_and_popup(&rig, &browser)?;
    let inner = rig.site.url("/identity/?inner#put=inner");
    let between = showing(&elsewhere(&rig.site.url(PAGE)), &inner);
    page.evaluate(&format!("embed({between:?})"))?;
    words(&popup, "1 frame is left out")?;
    page.evaluate(&format!(
        "{WITH_OWN_METHODS} return (async () => {{
            const bucket = await frames[0].frames[0].navigator.storageBuckets.open('inner');
            const {{ get }} = Object.getOwnPropertyDescriptor(StorageBucket.prototype, 'indexedDB');
            const open = IDBFactory.prototype.open.call(get.call(bucket), 'identity', 1);
            await written(IDBDatabase.prototype.transaction.call(await connected(open, (database) => {{
                IDBDatabase.prototype.createObjectStore.call(database, 'items').put('old', 'key');
                IDBDatabase.prototype.createObjectStore.call(database, 'added');
            }}), ['items', 'added'], 'readwrite'));
            return null;
        }})(); }})()"
    ))?;
    // Behind the frame's events, if any.
    page.evaluate("put('key', 'behind')")?;
    rig.settled(&page)?;
    let lines: Vec<String> = rig.stream()?.iter().map(lab::observe::Event::line).collect();
    let expected = [
        r#"c identity/items "key" "outer""#,
        r#"u identity/items "key" "behind""#,
    ];
    ensure!(
        lines.get(1..).is_some_and(|lines| lines == expected),
        "{lines:#?}"
    );
    Ok(())
}

/// The same with a frame of the page's own databases: all that it writes arrives.
fn own_methods_on_a_frame_of_the_page_leave_nothing_out(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    for sandbox in ["allow-same-origin", "allow-same-origin allow-scripts"] {
        let page = browser.open(&rig.site.url(PAGE))?;
        page.evaluate("put('gone', 1)")?;
        rig.settled(&page)?;
        page.evaluate(&format!("embedEmpty({sandbox:?})"))?;
        for (how, write) in OWN_METHODS {
            page.evaluate(&format!(
                "{WITH_OWN_METHODS} const other = frames[0]; return {write}.then(() => null); }})()"
            ))
            .and_then(|_null| rig.settled(&page))
            .with_context(|| format!("{sandbox}: {how}"))?;
        }
        page.close()?;
    }
    Ok(())
}

/// A page that was open when its site was enabled has connections from before, of its own and of
/// frames.
fn connections_of_a_late_page_are_assigned_by_window(kind: Kind) -> Result<()> {
    let rig = Rig::without_consent(kind)?;
    let browser = rig.browser_at_once(false)?;
    let url = rig.site.url(PAGE);
    let page = browser.open(&url)?;
    page.evaluate("put('key', 'outer')")?;
    let inner = rig.site.url("/identity/?inner#put=inner");
    let between = showing(&elsewhere(&url), &inner);
    page.evaluate(&format!("embed({between:?})"))?;
    let opened = "(async (factory, method) => {
        const request = method.call(factory, 'identity');
        await new Promise((resolve) => (request.onsuccess = resolve));
        return request.result;
    })";
    page.evaluate(&format!(
        "(async () => {{
            const opened = {opened};
            const other = frames[0].frames[0];
            window.old = [
                await opened(indexedDB, IDBFactory.prototype.open),
                await opened(other.indexedDB, other.IDBFactory.prototype.open),
                await opened(other.indexedDB, IDBFactory.prototype.open),
            ];
            window.putOnOld = async (value) => {{
                for (const connection of old) {{
                    const transaction = IDBDatabase.prototype.transaction.call(connection, 'items', 'readwrite');
                    IDBObjectStore.prototype.put.call(transaction.objectStore('items'), value, 'key');
                    await new Promise((resolve) => (transaction.oncomplete = resolve));
                    value = 'forged';
                }}
            }};
            window.deleteTheirs = async () => {{
                for (const connection of old) connection.close();
                const request = IDBFactory.prototype.deleteDatabase.call(other.indexedDB, 'identity');
                await new Promise((resolve) => (request.onsuccess = resolve));
            }};
        }})()"
    ))?;
    let popup = popup(&browser, &url)?;
    words(&popup, "This site is not captured")?;
    popup.evaluate("document.getElementById('capture').click()")?;
    words(&popup, "1 frame is left out")?;
    rig.settled(&page)?;
    page.evaluate("putOnOld('captured')")?;
    page.evaluate("deleteTheirs()")?;
    page.evaluate("put('key', 'last')")?;
    let events = rig.settled(&page)?;
    let lines: Vec<String> = events.iter().map(lab::observe::Event::line).collect();
    let expected = [
        r#"r identity/items "key" "outer""#,
        r#"u identity/items "key" "captured""#,
        r#"u identity/items "key" "last""#,
    ];
    ensure!(lines == expected, "{lines:#?}");
    Ok(())
}

lab::in_both_browsers!(
    frame_below_another_site_changes_nothing,
    frame_named_like_a_member_of_windows_is_captured,
    frames_of_the_same_site_are_captured,
    frame_is_judged_by_its_origin_not_by_its_domain,
    own_methods_on_a_frame_that_is_left_out_tell_nothing,
    own_methods_on_a_frame_of_the_page_leave_nothing_out,
    connections_of_a_late_page_are_assigned_by_window,
);

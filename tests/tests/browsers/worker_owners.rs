//! Whose workers they are: a worker's writes go by the name of the document that owns it, and by an
//! origin's name only if they are made in the origin's own databases.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use lab::{
    Rig,
    browser::{Browser, Kind, Page},
    pages::{popup, words},
    site::Site,
    wait::{self, PATIENCE, Seen},
};
use serde_json::{Value, json};

const PAGE: &str = "/workers/";

/// The kinds of workers of which Firefox tells the document, and those of which it does not.
const KINDS: [&str; 3] = ["classic", "module", "nested"];

/// A page of the captured origin that has written.
fn open<'b>(rig: &Rig, browser: &'b Browser) -> Result<Page<'b>> {
    let page = browser.open(&rig.site.url(PAGE))?;
    page.evaluate("write([['put', 'of the page', 0]])")?;
    rig.settled(&page)?;
    Ok(page)
}

/// The address of a document that writes in a worker.
fn writing_in(rig: &Rig, kind: &str, value: &str) -> String {
    rig.site.url(&format!("/workers/?inner#in={kind}&put={value}"))
}

/// Shows a document in a frame, and waits until it has written in its worker.
fn embed(holder: &Page<'_>, url: &str) -> Result<()> {
    let answer = holder.evaluate(&format!("embed({url:?})"))?;
    ensure!(answer == "written", "{url}: {answer}");
    Ok(())
}

/// A page that shows another one below a frame of another site.
fn below_another_site(rig: &Rig, inner: &str) -> String {
    let mut encoded = String::new();
    for byte in inner.bytes() {
        let _always_fits = write!(encoded, "%{byte:02X}");
    }
    let between = rig.site.url("/identity/").replace("localhost", "127.0.0.1");
    format!("{between}#embed={encoded}")
}

/// What the stream says of a value: the kinds of its writers.
fn writers_of(rig: &Rig, value: &str) -> Result<Vec<Value>> {
    let events = rig.stream()?;
    let of_value = events.iter().filter(|event| event.json()["after"] == value);
    Ok(of_value
        .map(|event| event.json()["source"]["writer"]["kind"].clone())
        .collect())
}

/// Of what a worker imports or starts Firefox says that the page in the tab asks for it.
#[test]
fn workers_of_frames_are_their_own_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let neighbour = Site::start()?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    // Another origin of the same site: its frame has the page's databases.
    let top = browser.open(&neighbour.url(PAGE))?;
    for kind in KINDS {
        embed(&top, &writing_in(&rig, kind, kind))?;
        wait::until("the worker's write", PATIENCE, || {
            let writers = writers_of(&rig, kind)?;
            Ok(if writers.is_empty() {
                Seen::Not(format!("{kind}: no event"))
            } else {
                Seen::Ready(())
            })
        })?;
        let writers = writers_of(&rig, kind)?;
        ensure!(writers == [json!("worker")], "{kind}: {writers:?}");
    }
    rig.settled(&page).map(drop)
}

/// A frame of the page's own origin below another site, with workers of the page's scripts: what
/// they write is in no event, and what those of the page write is.
#[test]
fn workers_of_frames_below_another_site_tell_nothing_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    let popup = popup(&browser, &rig.site.url(PAGE))?;
    for kind in KINDS {
        let frame = format!("frame {kind}");
        page.evaluate(&format!(
            "writeIn({kind:?}, [['put', 'before {kind}', {kind:?}]])"
        ))?;
        embed(&page, &below_another_site(&rig, &writing_in(&rig, kind, &frame)))?;
        page.evaluate(&format!("writeIn({kind:?}, [['put', 'after {kind}', {kind:?}]])"))?;
        rig.settled(&page)?;
        let writers = [
            writers_of(&rig, &format!("before {kind}"))?,
            writers_of(&rig, &frame)?,
            writers_of(&rig, &format!("after {kind}"))?,
        ];
        let worker = json!("worker");
        ensure!(
            writers == [vec![worker.clone()], vec![], vec![worker]],
            "{kind}: {writers:?}"
        );
    }
    words(&popup, "3 frames are left out")
}

/// A container's tab has databases of its own.
#[test]
fn workers_of_a_container_tab_tell_nothing_in_firefox() -> Result<()> {
    let rig = Rig::new(Kind::Firefox)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    let container = browser.open_in_container(&rig.site.url("/workers/?container"))?;
    for kind in KINDS {
        container.evaluate(&format!("writeIn({kind:?}, [['put', 'contained', {kind:?}]])"))?;
        page.evaluate(&format!("writeIn({kind:?}, [['put', 'own {kind}', {kind:?}]])"))?;
    }
    rig.settled(&page)?;
    for kind in KINDS {
        let writers = writers_of(&rig, &format!("own {kind}"))?;
        ensure!(writers == [json!("worker")], "{kind}: {writers:?}");
    }
    let writers = writers_of(&rig, "contained")?;
    ensure!(writers.is_empty(), "events came from the container: {writers:?}");
    Ok(())
}

/// What has come to a document's place since is asked about a worker that it does not have.
fn question_without_the_documents_own_origin_gets_no_channel(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = open(&rig, &browser)?;
    let background = browser.background()?;
    let ask = |from: &Value| {
        let script = rig.site.url("/workers/classic.js");
        let shown = page.evaluate("location.href")?;
        background.call(&format!(
            "async ({{ chrome }}) => {{
                const tabs = await chrome.tabs.query({{}});
                const tab = tabs.find((tab) => tab.url === {shown});
                const worker = {{ url: {script:?}, from: {from} ?? undefined }};
                return chrome.tabs.sendMessage(tab.id, {{ worker }}, {{ frameId: 0 }});
            }}"
        ))
    };
    let own = ask(&json!(rig.site.origin()))?;
    ensure!(own["origin"] == rig.site.origin(), "{own}");
    for from in [Value::Null, json!("null"), json!("https://shop.example")] {
        let answer = ask(&from)?;
        ensure!(answer.is_null(), "{from}: {answer}");
    }
    Ok(())
}

lab::in_both_browsers! { question_without_the_documents_own_origin_gets_no_channel }

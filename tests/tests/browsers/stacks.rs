//! Stacks of writes: where they lead, which inspectors get them, and that the page can't notice.

use anyhow::{Result, ensure};
use lab::{
    Rig,
    browser::{Kind, Page},
    observe,
    panel::Panel,
    relay::STREAM,
    wait::{self, PATIENCE, Seen},
};
use serde_json::json;

const WRITER: &str = "/writer/";

/// All events in sight have passed all stages.
const ARRIVED: &str = "$$('.row .strip [data-stage]').every((stage) => stage.dataset.state === 'passed')";

/// Writes until the stack of a write is in the panel, or of one is not.
fn write_until(page: &Page<'_>, panel: &Panel<'_>, taken: bool) -> Result<()> {
    let mut number = 0;
    wait::until("a write with a stack, or one without", PATIENCE, || {
        number += 1;
        page.evaluate(&format!("put('{taken} {number}', {number})"))?;
        panel.wait_for(&format!(
            "$$('.row').at(-1)?.querySelector('.key').textContent === '\"{taken} {number}\"'"
        ))?;
        panel.evaluate("$$('.row').at(-1).click()")?;
        panel.wait_for(&format!(
            "$('.details h2').textContent === '\"{taken} {number}\"'"
        ))?;
        let calls = panel.evaluate("$('.calls') !== null")?;
        Ok(if calls == json!(taken) {
            Seen::Ready(())
        } else {
            Seen::Not(format!("{number} writes, calls: {calls}"))
        })
    })
}

fn a_stack_leads_to_the_call_and_nowhere_else(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    let panel = Panel::of(&browser, &url)?;
    panel.page.resize(1280, 800)?;
    // Stacks are off until the user wants them.
    write_until(&page, &panel, false)?;
    panel.wait_for("$('.details').textContent.includes('No stack recorded')")?;
    panel.press("Record stacks")?;
    panel.wait_for(
        "$$('.toolbar button').find((button) => button.textContent === 'Stacks').ariaPressed === 'true'",
    )?;
    write_until(&page, &panel, true)?;
    let calls = panel.evaluate("$$('.calls li').map((call) => call.querySelector('button').title)")?;
    let calls: Vec<String> = serde_json::from_value(calls)?;
    let script = rig.site.url("/writer/site.js");
    ensure!(calls.iter().any(|call| call.starts_with(&script)), "{calls:?}");
    ensure!(
        !calls.iter().any(|call| call.contains("extension://")),
        "{calls:?}"
    );
    // Until it has arrived its details change.
    panel.wait_for(ARRIVED)?;
    // Outside DevTools there are no Sources: the place is copied.
    let first = calls
        .iter()
        .position(|call| call.starts_with(&script))
        .unwrap_or(0);
    panel.evaluate(&format!("$$('.calls button')[{first}].id = 'call'"))?;
    assert_eq!(panel.copied("#call")?, calls[first]);
    // Inside there are: they are shown the place. Their lines and columns begin at 0, those of
    // stacks at 1.
    panel.evaluate(
        "void (chrome.devtools = { panels: { openResource: (...place) => (window.opened = place) } })",
    )?;
    panel.click("#call")?;
    panel.wait_for("window.opened !== undefined")?;
    let opened: (String, u32, u32) = serde_json::from_value(panel.evaluate("window.opened")?)?;
    let place = format!("{}:{}:{}", opened.0, opened.1 + 1, opened.2 + 1);
    assert_eq!(place, calls[first]);
    panel.picture(&format!("stacks-{}", kind.name()))?;
    panel.accessible()?;

    // Every operation of a transaction has its own.
    page.evaluate("together([['x', 1], ['x', 2]])")?;
    panel.wait_for("$$('.row').at(-1).querySelector('.op').textContent === 'update'")?;
    panel.evaluate("$$('.row').at(-1).click()")?;
    panel.wait_for("$('.details h2').textContent === '\"x\"' && $('.calls') !== null")?;

    // A panel that is opened again received no stack; and no other consumer ever did.
    rig.settled(&page)?;
    for text in observe::texts(&rig.redis, STREAM)? {
        ensure!(!text.contains("site.js"), "published: {text}");
    }
    for (key, item) in rig.memcached.dump()? {
        ensure!(!String::from_utf8_lossy(&item.value).contains("site.js"), "{key}");
    }
    for entry in std::fs::read_dir(rig.relay.journal_directory())? {
        let path = entry?.path();
        let bytes = std::fs::read(&path)?;
        ensure!(
            !bytes.windows(7).any(|window| window == b"site.js"),
            "in {}",
            path.display()
        );
    }

    panel.press("Stacks")?;
    write_until(&page, &panel, false)?;
    // It ends with the panel that wanted it.
    panel.press("Stacks")?;
    write_until(&page, &panel, true)?;
    panel.page.close()?;
    let panel = Panel::of(&browser, &url)?;
    panel.page.resize(1280, 800)?;
    write_until(&page, &panel, false)?;
    rig.settled(&page).map(drop)
}

/// What a page can do to notice that the hook takes a stack, each before one write.
const TRAPS: &str = r"
const spied = [];
const spy = (name, value) => ({ __proto__: null, configurable: true, get() { spied.push(name); return value; }, set() { spied.push(name); } });
const traps = {
  none: [() => {}, () => {}],
  own: [
    () => { Error.prepareStackTrace = () => { spied.push('prepareStackTrace'); return 'mine'; }; },
    () => { delete Error.prepareStackTrace; },
  ],
  accessor: [
    () => Object.defineProperty(Error, 'prepareStackTrace', spy('prepareStackTrace accessor')),
    () => { delete Error.prepareStackTrace; },
  ],
  inherited: [
    () => Object.defineProperty(Object.prototype, 'prepareStackTrace', spy('inherited', () => { spied.push('called'); })),
    () => { delete Object.prototype.prepareStackTrace; },
  ],
  limit: [
    () => { Error.stackTraceLimit = 3; },
    () => { Error.stackTraceLimit = 10; },
  ],
  words: [
    () => {
      for (const [object, name] of [[Error.prototype, 'name'], [Error.prototype, 'message'], [Error.prototype, 'toString'], [Object.prototype, 'stack']]) {
        (before[name] = Object.getOwnPropertyDescriptor(object, name), Object.defineProperty(object, name, spy(name, '')));
      }
    },
    () => {
      for (const name of ['name', 'message', 'toString']) Object.defineProperty(Error.prototype, name, before[name]);
      delete Object.prototype.stack;
    },
  ],
  descriptors: [
    () => { for (const name of ['value', 'writable', 'enumerable']) Object.defineProperty(Object.prototype, name, spy(name)); },
    () => { for (const name of ['value', 'writable', 'enumerable']) delete Object.prototype[name]; },
  ],
};
const before = {};
const shape = () => Reflect.ownKeys(Error).map((name) => {
  const { value, get, set, writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(Error, name);
  return [name, value, get, set, writable, enumerable, configurable];
});
const same = (one, other) => one.length === other.length && one.every((member, index) => member.every((part, at) => Object.is(part, other[index][at])));
";

fn a_page_cannot_tell_that_its_stacks_are_taken(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let url = rig.site.url(WRITER);
    let page = browser.open(&url)?;
    let panel = Panel::of(&browser, &url)?;
    panel.page.resize(1280, 800)?;
    page.evaluate("put('first', 0)")?;
    panel.wait_for("$$('.row').length > 0")?;
    panel.press("Stacks")?;
    write_until(&page, &panel, true)?;
    let noticed = page.evaluate(&format!(
        "(async () => {{ {TRAPS}
          const noticed = [];
          const database = await new Promise((resolve) => (indexedDB.open('writer').onsuccess = (event) => resolve(event.target.result)));
          for (const [name, [set, unset]] of Object.entries(traps)) {{
            const transaction = database.transaction('items', 'readwrite');
            const store = transaction.objectStore('items');
            set();
            const was = shape();
            spied.length = 0;
            store.put(name, 'trap ' + name);
            const seen = [...spied];
            const is = shape();
            unset();
            if (seen.length > 0) noticed.push(name + ': ' + seen);
            if (!same(was, is)) noticed.push(name + ' changed Error');
            await new Promise((resolve) => (transaction.oncomplete = resolve));
          }}
          database.close();
          return noticed;
        }})()"
    ))?;
    assert_eq!(noticed, json!([]));
    // Stacks were taken all the while.
    panel.wait_for("$$('.row').at(-1)?.querySelector('.key').textContent === '\"trap descriptors\"'")?;
    for name in [
        "none",
        "own",
        "accessor",
        "inherited",
        "limit",
        "words",
        "descriptors",
    ] {
        panel.filter(&format!("key:\"trap {name}\""))?;
        panel.wait_for("$$('.row').length === 1")?;
        panel.evaluate("$('.row').click()")?;
        panel.wait_for(&format!(
            "$('.details h2').textContent === '\"trap {name}\"' && $('.details h3 + .calls, .details h3 + p') !== null"
        ))?;
        let calls = panel.evaluate("$$('.calls li').length")?;
        ensure!(calls != json!(0), "no stack with the trap {name}");
    }
    rig.settled(&page).map(drop)
}

/// The hook's call in the stack of an exception is a call like others to code that takes a stack
/// apart.
fn stacks_of_exceptions_can_be_taken_apart(kind: Kind) -> Result<()> {
    let rig = Rig::new(kind)?;
    let browser = rig.browser()?;
    let page = browser.open(&rig.site.url(WRITER))?;
    page.evaluate("put('captured', 1)")?;
    rig.settled(&page)?;
    let stacks = page.evaluate(
        r"opened().then((connection) => {
            const items = connection.transaction('items').objectStore('items');
            const store = items.put;
            const calls = [
                () => items.put(1, 1), () => items.delete(1), () => items.clear(), () => items.put(() => {}, 1),
                () => connection.createObjectStore('x'), () => connection.deleteObjectStore('x'), () => (items.name = 'y'),
                () => indexedDB.open('x', 0), () => store.call({}, 1),
            ];
            return calls.map((call) => { try { call(); return ''; } catch (error) { return error.stack ?? 'none'; } });
        })",
    )?;
    let stacks: Vec<String> = serde_json::from_value(stacks)?;
    for stack in &stacks {
        ensure!(!stack.is_empty(), "{stacks:#?}");
        for line in stack.lines().filter(|line| !line.is_empty()) {
            let place = line.trim_end_matches(')').rsplitn(3, ':').take(2);
            let is_call = match kind {
                Kind::Chromium => line.starts_with("    at "),
                Kind::Firefox => line.contains('@'),
            };
            let is_placed = place.clone().count() == 2
                && place
                    .into_iter()
                    .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
            // V8 begins with the message, and its own functions have no place.
            let is_other =
                kind == Kind::Chromium && (stack.starts_with(line) || line.ends_with("(<anonymous>)"));
            ensure!(is_other || (is_call && is_placed), "{line:?} in {stacks:#?}");
            ensure!(!line.contains("-extension://"), "{line:?} in {stacks:#?}");
        }
    }
    Ok(())
}

lab::in_both_browsers!(
    stacks_of_exceptions_can_be_taken_apart,
    a_stack_leads_to_the_call_and_nowhere_else,
    a_page_cannot_tell_that_its_stacks_are_taken,
);

//! The relay in the browser: listens for it, and does what it says.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use protocol::{
    PROTOCOL_VERSION, json,
    problem::Problem,
    wire::{bridge::Part, host::Page},
};
use serde::Deserialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::{
    chrome::{self, Port},
    identity::Sender,
    native_port::NativePort,
    relay::{Action, Decisions, Identity, Relay},
    scripts, storage,
};

/// What `background.js` hands the browser's events to.
#[wasm_bindgen]
pub struct Background(Rc<Service>);

/// What `background.js` says of a port's other end.
#[derive(Deserialize)]
struct RawSender {
    origin: String,
    tab: i64,
    frame: i64,
    incognito: bool,
    container: String,
    top: Option<String>,
    inactive: bool,
    /// Whether it is one of our own pages.
    inspector: bool,
}

impl From<RawSender> for Sender {
    fn from(sender: RawSender) -> Self {
        Self {
            page: Page {
                origin: sender.origin.into(),
                tab: sender.tab,
                frame: sender.frame,
            },
            incognito: sender.incognito,
            container: sender.container,
            top: sender.top,
            inactive: sender.inactive,
        }
    }
}

/// A delivery that is not to be looked into.
#[derive(Deserialize)]
struct LeftOut {
    context: String,
    sequence: u64,
}

#[wasm_bindgen]
impl Background {
    /// Reads what is stored, registers the page scripts and starts the host. `left_out` lists the
    /// deliveries that made this module trap, as JSON.
    pub async fn start(left_out: &str) -> Result<Background, JsValue> {
        console_error_panic_hook::set_once();
        let left_out: Vec<LeftOut> = json::read(left_out).map_err(|error| error.to_string())?;
        let left_out = left_out
            .into_iter()
            .map(|delivery| (delivery.context, delivery.sequence));
        let stored = storage::load().await?;
        let identity = Identity {
            protocol: PROTOCOL_VERSION,
            version: env!("CARGO_PKG_VERSION").into(),
            browser: browser(&chrome::USER_AGENT.with(String::clone)).into(),
            profile: stored.profile.into(),
        };
        let service = Rc::new(Service {
            relay: RefCell::new(
                Relay::new(identity, stored.decisions, stored.secret).after_traps(left_out, in_hand),
            ),
            native: RefCell::new(None),
            ports: RefCell::default(),
            starting: Cell::new(false),
            registering: Cell::new(false),
            patterns: RefCell::new(None),
        });
        // What is begun here is not held up by the policy, whose answer may take seconds.
        service.with_relay(|_| {});
        spawn_local(Rc::clone(&service).read_policy());
        Ok(Background(service))
    }

    /// A document or an inspector opened a port; `sender` is JSON.
    pub fn port_opened(&self, number: u32, port: Port, sender: &str) {
        let Ok(sender) = json::read::<RawSender>(sender) else {
            return;
        };
        self.0.ports.borrow_mut().insert(number, port);
        if sender.inspector {
            return self.0.with_relay(|relay| relay.inspector_opened(number));
        }
        let sender = Sender::from(sender);
        self.0.with_relay(|relay| relay.bridge_opened(number, sender));
    }

    /// A document was turned away, since this module has trapped on it twice; `sender` is JSON.
    pub fn document_cut_off(&self, sender: &str) {
        if let Ok(sender) = json::read::<RawSender>(sender) {
            let sender = Sender::from(sender);
            self.0.with_relay(|relay| relay.document_cut_off(&sender));
        }
    }

    /// A message came over a port.
    pub fn port_said(&self, number: u32, text: &str) {
        self.0.with_relay(|relay| relay.port_said(number, text));
    }

    /// Bodies came over a port; `sequence` is a whole number, that of the first one's delivery.
    pub fn receive_bodies(&self, number: u32, sequence: f64, bodies: Vec<String>) {
        self.0
            .with_relay(|relay| relay.receive_bodies(number, as_u64(sequence), bodies));
    }

    /// A part of a body came over a port; `sequence` is a whole number, that of its delivery.
    pub fn receive_part(&self, number: u32, sequence: f64, index: u32, count: u32, text: String) {
        let part = Part {
            sequence: as_u64(sequence),
            index,
            count,
            text: text.into(),
        };
        self.0.with_relay(|relay| relay.receive_part(number, part));
    }

    /// A port is closed: by the browser, if its document is in the back/forward cache now.
    pub fn port_closed(&self, number: u32, is_cached: bool) {
        self.0.ports.borrow_mut().remove(&number);
        self.0.with_relay(|relay| {
            if is_cached {
                relay.document_cached(number);
            }
            relay.port_closed(number);
        });
    }

    /// Deep capture of a tab has changed; `state` is JSON, empty if it is off.
    pub fn deep_capture_changed(&self, tab: i32, state: &str) {
        let state = json::read(state).ok();
        self.0
            .with_relay(|relay| relay.deep_capture_changed(tab.into(), state));
    }

    /// The browser's permissions have changed.
    pub fn permissions_changed(&self) {
        self.0.with_relay(Relay::permissions_changed);
    }

    /// The administrator's policy has changed.
    pub async fn policy_changed(&self) {
        let service = Rc::clone(&self.0);
        service.read_policy().await;
    }
}

/// The relay and the ports it speaks through.
pub struct Service {
    relay: RefCell<Relay>,
    native: RefCell<Option<NativePort>>,
    ports: RefCell<HashMap<u32, Port>>,
    /// Whether a timer for the host's start runs.
    starting: Cell<bool>,
    /// Whether page scripts are being registered.
    registering: Cell<bool>,
    /// The patterns to register them under next.
    patterns: RefCell<Option<Vec<String>>>,
}

impl Service {
    /// Tells the relay something, then does what it wants done.
    pub fn with_relay(self: &Rc<Self>, tell: impl FnOnce(&mut Relay)) {
        tell(&mut self.relay.borrow_mut());
        loop {
            let actions = self.relay.borrow_mut().take_actions();
            if actions.is_empty() {
                return;
            }
            for action in actions {
                self.perform(action);
            }
        }
    }

    async fn read_policy(self: Rc<Self>) {
        let policy = storage::policy().await;
        self.with_relay(|relay| relay.policy(policy));
    }

    /// The port to the host is closed.
    pub fn host_gone(self: &Rc<Self>, reason: &str) {
        // Called by the port's own listener, which has to live until it returns.
        if let Some(port) = self.native.take() {
            spawn_local(async move { drop(port) });
        }
        self.with_relay(|relay| relay.host_gone(reason));
    }

    fn perform(self: &Rc<Self>, action: Action) {
        match action {
            Action::StartHost { after } => self.start_host(after),
            Action::Wake { alarm, after } => {
                let service = Rc::clone(self);
                let wake = Closure::once_into_js(move || service.with_relay(|relay| relay.woken(alarm)));
                chrome::set_timeout(&chrome::guarded(&wake).into(), after.as_secs_f64() * 1000.0);
            }
            Action::StopHost => {
                if let Some(port) = self.native.take() {
                    spawn_local(async move { port.close() });
                }
            }
            Action::ToHost(text) => {
                if let Some(native) = &*self.native.borrow() {
                    native.send(&text);
                }
            }
            Action::ToPort { port, text } => {
                if let Some(port) = self.ports.borrow().get(&port) {
                    // A port that is closed already says so by its own event.
                    let _closed = port.post_message(&JsValue::from_str(&text));
                }
            }
            Action::Register(patterns) => {
                self.patterns.replace(Some(patterns));
                if !self.registering.replace(true) {
                    spawn_local(Rc::clone(self).register());
                }
            }
            Action::Save(decisions) => spawn_local(save(decisions)),
            Action::Show { problem, paused } => spawn_local(show(problem, paused)),
            Action::ShowInTab { tab, problem } => spawn_local(show_in_tab(tab, problem)),
            Action::CaptureDeeply { tab, enabled } => {
                chrome::capture_deeply(&chrome::number(tab), enabled);
            }
            Action::Look { looking, request } => {
                let service = Rc::clone(self);
                spawn_local(async move {
                    let frame = chrome::number(looking.frame);
                    let place = chrome::object(&[("tab", chrome::number(looking.tab)), ("frame", frame)]);
                    let answer = chrome::look_into(&place, &request).await;
                    let answer = answer.ok().and_then(|answer| answer.as_string());
                    service.with_relay(|relay| relay.looked(looking, answer.as_deref()));
                });
            }
        }
    }

    /// One registration after the other: the last one wanted is the last one made.
    async fn register(self: Rc<Self>) {
        while let Some(patterns) = self.patterns.take() {
            let granted = scripts::granted(&patterns).await;
            let registered = scripts::register(&granted).await;
            if registered.is_ok() && !granted.is_empty() {
                chrome::scripts_registered();
            }
            self.with_relay(|relay| relay.granted(granted));
            if let Err(error) = registered {
                let problem = Problem {
                    message: format!(
                        "The page scripts could not be registered: {}",
                        chrome::message_of(&error)
                    ),
                    fix: "Switch the extension off and on again.".into(),
                };
                self.perform(Action::Show {
                    problem: Some(problem),
                    paused: false,
                });
            }
        }
        self.registering.set(false);
    }

    fn start_host(self: &Rc<Self>, after: Duration) {
        if self.starting.replace(true) {
            return;
        }
        let service = Rc::clone(self);
        let start = Closure::once_into_js(move || {
            service.starting.set(false);
            let (receiver, owner) = (Rc::downgrade(&service), Rc::downgrade(&service));
            let on_message = move |message: &str| {
                if let Some(service) = receiver.upgrade() {
                    service.with_relay(|relay| relay.host_said(message));
                }
            };
            let on_end = move |reason: &str| {
                if let Some(service) = owner.upgrade() {
                    service.host_gone(reason);
                }
            };
            match NativePort::open(on_message, on_end) {
                Ok(port) => {
                    service.native.replace(Some(port));
                    service.with_relay(Relay::host_started);
                }
                Err(error) => service.with_relay(|relay| relay.host_gone(&chrome::message_of(&error))),
            }
        });
        chrome::set_timeout(&chrome::guarded(&start).into(), after.as_secs_f64() * 1000.0);
    }
}

/// `background.js` has checked that it is one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "engines count exactly up to 2⁵³"
)]
fn as_u64(number: f64) -> u64 {
    number as u64
}

/// See [`super::relay::InHand`].
fn in_hand(delivery: Option<(&str, u64)>) {
    let (context, sequence) = delivery.unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "bridges count in JavaScript's numbers")]
    chrome::in_hand(context, sequence as f64);
}

/// Keeps the user's decisions.
async fn save(decisions: Decisions) {
    // A full disk, most likely: they hold until the background ends.
    let _unsaved = storage::save(&decisions).await;
}

/// Puts the problem at the extension's button, or that capture rests.
async fn show(problem: Option<Problem>, paused: bool) {
    let (badge, title) = match problem {
        Some(problem) => ("!", format!("idb-relay: {} {}", problem.message, problem.fix)),
        None if paused => ("II", "idb-relay: capture is paused.".to_owned()),
        None => ("", "idb-relay".to_owned()),
    };
    // Without a window there is no button to show anything at.
    let _unseen = chrome::set_badge_text(&chrome::object(&[("text", badge.into())])).await;
    let _unseen = chrome::set_title(&chrome::object(&[("title", title.into())])).await;
}

/// Puts the reason why a tab is not captured at the extension's button there.
async fn show_in_tab(tab: i64, problem: Problem) {
    if tab < 0 {
        return;
    }
    let title = format!("idb-relay: {} {}", problem.message, problem.fix);
    // The tab may be gone.
    let details = chrome::object(&[("title", title.into()), ("tabId", chrome::number(tab))]);
    let _unseen = chrome::set_title(&details).await;
}

/// `firefox/153` or `chromium/156`, from the browser's own words.
fn browser(user_agent: &str) -> String {
    for (mark, name) in [("Firefox/", "firefox"), ("Chrome/", "chromium")] {
        if let Some((_, version)) = user_agent.split_once(mark) {
            let major: String = version.chars().take_while(char::is_ascii_digit).collect();
            return format!("{name}/{major}");
        }
    }
    "unknown".to_owned()
}

//! The port to the background: messages go to one receiver, answers to the one that asked.
//!
//! Browsers end an idle background. Then the port breaks, and is opened again after a moment.
//! The feed continues where it was, since its question says how far the panel has come.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use js_sys::{Function, Object, Reflect};
use protocol::wire::inspector::{
    Answer, Ask, Background, Feed, FromInspector, Look, PORT, Problem, Question, Reply, Seen, Sight, Since,
    ToInspector, Trace, Tracing,
};
use protocol::{
    table::Table,
    wire::host::{ErrorCode, HostError},
};
use wasm_bindgen::prelude::*;

use crate::{timers::run_later, timing};

/// How many past events the feed begins with.
const PAST_EVENTS: u64 = 5000;

#[wasm_bindgen]
extern "C" {
    type Port;
    #[wasm_bindgen(method, catch, js_name = postMessage)]
    fn post_message(this: &Port, message: &JsValue) -> Result<(), JsValue>;
    #[wasm_bindgen(method, getter, js_name = onMessage)]
    fn on_message(this: &Port) -> Listeners;
    #[wasm_bindgen(method, getter, js_name = onDisconnect)]
    fn on_disconnect(this: &Port) -> Listeners;

    type Listeners;
    #[wasm_bindgen(method, js_name = addListener)]
    fn add_listener(this: &Listeners, listener: &Function);

    #[wasm_bindgen(catch, js_namespace = ["chrome", "runtime"], js_name = connect)]
    fn connect(info: &JsValue) -> Result<Port, JsValue>;
}

/// A message that answers no question of a single component.
pub enum LinkMessage {
    /// The state of the extension.
    Background(Background),
    Feed(Feed),
    Trace(Trace),
}

type Receiver = Box<dyn Fn(LinkMessage)>;
type ReplyHandler = Box<dyn FnMut(Reply)>;
type SightHandler = Box<dyn FnOnce(Sight)>;

/// Create it with `default`, then call [`BackgroundLink::connect`].
#[derive(Default)]
pub struct BackgroundLink {
    port: RefCell<Option<Port>>,
    receiver: OnceCell<Receiver>,
    pending_questions: RefCell<Table<u64, ReplyHandler>>,
    pending_inspections: RefCell<Table<u64, SightHandler>>,
    last_id: RefCell<u64>,
    /// How far the feed has come.
    since: RefCell<Since>,
    /// The id of the feed's open question.
    feed_id: RefCell<Option<u64>>,
    tracing: RefCell<Tracing>,
}

impl BackgroundLink {
    pub fn connect(self: &Rc<Self>, receiver: impl Fn(LinkMessage) + 'static) {
        self.since.replace(since_start());
        if self.receiver.set(Box::new(receiver)).is_ok() {
            self.open_port();
        }
    }

    pub fn send(&self, message: &FromInspector) {
        if let (Some(port), Ok(text)) = (&*self.port.borrow(), serde_json::to_string(message)) {
            // A port that has just broken is replaced.
            let _broken = port.post_message(&text.into());
        }
    }

    /// Asks the host. A comparison has several answers; the handler gets each of them.
    pub fn ask(&self, question: Question, mut on_reply: impl FnMut(Reply) + 'static) {
        if self.port.borrow().is_none() {
            return run_later(0, move || on_reply(Reply::Failed(background_restarted())));
        }
        let id = self.next_id();
        self.pending_questions.borrow_mut().insert(id, Box::new(on_reply));
        self.send(&FromInspector::Ask(Ask { id, question }));
    }

    /// Lets a page inspect its databases; the page of `tab`, if that has the origin.
    pub fn inspect_page(&self, tab: Option<i64>, look: Look, on_sight: impl FnOnce(Sight) + 'static) {
        if self.port.borrow().is_none() {
            return run_later(0, move || on_sight(inspection_failed()));
        }
        let id = self.next_id();
        self.pending_inspections
            .borrow_mut()
            .insert(id, Box::new(on_sight));
        self.send(&FromInspector::Look { id, tab, look });
    }

    fn next_id(&self) -> u64 {
        *self.last_id.borrow_mut() += 1;
        *self.last_id.borrow()
    }

    fn open_port(self: &Rc<Self>) {
        let info = Object::new();
        let _set = Reflect::set(&info, &"name".into(), &PORT.into());
        let Ok(port) = connect(&info) else { return };
        let link = Rc::clone(self);
        let on_message = Closure::<dyn Fn(JsValue)>::new(move |text: JsValue| {
            if let Some(Ok(message)) = text.as_string().map(|text| protocol::json::read(&text)) {
                link.receive(message);
            }
        });
        port.on_message()
            .add_listener(on_message.into_js_value().unchecked_ref());
        let link = Rc::clone(self);
        let on_disconnect = Closure::<dyn Fn()>::new(move || {
            link.port.replace(None);
            link.fail_pending();
            let link = Rc::clone(&link);
            run_later(timing::RETRY_MS, move || link.open_port());
        });
        port.on_disconnect()
            .add_listener(on_disconnect.into_js_value().unchecked_ref());
        self.port.replace(Some(port));
        // Without a tab the background reports all tabs. The events are of all tabs, too.
        self.send(&FromInspector::Open { tab: None });
        self.request_feed();
        let tracing = *self.tracing.borrow();
        if tracing != Tracing::Off {
            self.send(&FromInspector::Trace(tracing));
        }
    }

    /// A new background knows nothing of the questions to the old one.
    fn fail_pending(&self) {
        let questions = std::mem::take(&mut *self.pending_questions.borrow_mut());
        for mut on_reply in questions.into_values() {
            on_reply(Reply::Failed(background_restarted()));
        }
        let inspections = std::mem::take(&mut *self.pending_inspections.borrow_mut());
        for on_sight in inspections.into_values() {
            on_sight(inspection_failed());
        }
    }

    /// Chooses the pages that record call stacks, for as long as the panel lives.
    pub fn set_tracing(&self, tracing: Tracing) {
        self.tracing.replace(tracing);
        self.send(&FromInspector::Trace(tracing));
    }

    /// Requests the next part of the feed.
    ///
    /// The pipeline calls this after it has ingested a part. A hidden panel ingests nothing, so it
    /// is sent nothing.
    pub fn request_feed(&self) {
        let id = self.next_id();
        self.feed_id.replace(Some(id));
        self.send(&FromInspector::Ask(Ask {
            id,
            question: Question::Feed(self.since.borrow().clone()),
        }));
    }

    /// Begins the feed again with the latest events.
    pub fn restart_feed(&self) {
        self.since.replace(since_start());
        self.request_feed();
    }

    fn receive(self: &Rc<Self>, message: ToInspector) {
        match message {
            ToInspector::Background(background) => self.hand_over(LinkMessage::Background(*background)),
            ToInspector::Answer(answer) if *self.feed_id.borrow() == Some(answer.id) => {
                self.receive_feed(answer);
            }
            ToInspector::Trace(trace) => self.hand_over(LinkMessage::Trace(trace)),
            ToInspector::Seen(Seen { id, sight }) => {
                let on_sight = self.pending_inspections.borrow_mut().remove(&id);
                if let Some(on_sight) = on_sight {
                    on_sight(sight);
                }
            }
            ToInspector::Answer(Answer { id, reply }) => {
                let is_last = !matches!(&reply, Reply::Compared(compared) if !compared.done);
                // Removed while it runs, since it may ask another question.
                let on_reply = self.pending_questions.borrow_mut().remove(&id);
                if let Some(mut on_reply) = on_reply {
                    on_reply(reply);
                    if !is_last {
                        self.pending_questions.borrow_mut().insert(id, on_reply);
                    }
                }
            }
        }
    }

    fn receive_feed(self: &Rc<Self>, answer: Answer) {
        if let Reply::Feed(feed) = answer.reply {
            self.since.replace(feed.next.clone());
            self.hand_over(LinkMessage::Feed(feed));
        } else {
            let link = Rc::clone(self);
            run_later(timing::RETRY_MS, move || link.request_feed());
        }
    }

    fn hand_over(&self, message: LinkMessage) {
        if let Some(receiver) = self.receiver.get() {
            receiver(message);
        }
    }
}

fn since_start() -> Since {
    Since {
        past: PAST_EVENTS,
        ..Since::default()
    }
}

fn background_restarted() -> HostError {
    HostError {
        code: ErrorCode::HostAway,
        message: "The extension's background has restarted.".to_owned(),
        fix: "Ask again in a moment.".to_owned(),
        context: None,
        sequence: None,
    }
}

fn inspection_failed() -> Sight {
    let HostError { message, fix, .. } = background_restarted();
    Sight::Failed(Problem { message, fix })
}

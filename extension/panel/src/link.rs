//! The port to the background: what it says goes to one place, questions find their answers.
//!
//! Browsers end a background that rests; then the port breaks and is opened again. The feed goes on where it was, for the question itself
//! says how far we have come. What else is used of the browser is in [`crate::browser`].

use std::{cell::RefCell, rc::Rc};

use js_sys::{Function, Object, Reflect};
use protocol::inspect::{
    Answer, Ask, Background, Feed, FromInspector, Look, PORT, Question, Remark, Reply, Seen, Sight, Since,
    ToInspector, Trace, Tracing,
};
use protocol::{
    message::{ErrorCode, HostError},
    table::Table,
};
use wasm_bindgen::prelude::*;

/// How many past events the feed begins with.
const PAST: u64 = 5000;
/// How long to wait before a port is opened again, or a feed that failed is asked for again, in milliseconds.
const AGAIN: i32 = 500;

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

/// What the link hears.
pub enum Heard {
    /// How the extension is.
    Background(Background),
    /// News of the feed.
    Feed(Feed),
    /// Where writes were called from.
    Trace(Trace),
}

type Asker = Box<dyn FnMut(Reply)>;
type Looker = Box<dyn FnOnce(Sight)>;

/// See the [module](self).
pub struct Link {
    port: RefCell<Option<Port>>,
    heard: Box<dyn Fn(Heard)>,
    asked: RefCell<Table<u64, Asker>>,
    looking: RefCell<Table<u64, Looker>>,
    last: RefCell<u64>,
    since: RefCell<Since>,
    /// The number of the feed's open question.
    feed: RefCell<Option<u64>>,
    /// Whose stacks are wanted.
    tracing: RefCell<Tracing>,
}

impl Link {
    /// Connects.
    pub fn open(heard: impl Fn(Heard) + 'static) -> Rc<Self> {
        let link = Rc::new(Self {
            port: RefCell::new(None),
            heard: Box::new(heard),
            asked: RefCell::default(),
            looking: RefCell::default(),
            last: RefCell::new(0),
            since: RefCell::new(first()),
            feed: RefCell::new(None),
            tracing: RefCell::default(),
        });
        link.connect();
        link
    }

    /// Tells the background something.
    pub fn send(&self, message: &FromInspector) {
        if let (Some(port), Ok(text)) = (&*self.port.borrow(), serde_json::to_string(message)) {
            // A port that has just broken is replaced.
            let _broken = port.post_message(&text.into());
        }
    }

    /// Asks the host; several answers may come, the asker hears each.
    pub fn ask(&self, question: Question, mut asker: impl FnMut(Reply) + 'static) {
        if self.port.borrow().is_none() {
            // Nobody would ever answer.
            return later(0, move || asker(Reply::Failed(away())));
        }
        let id = self.next();
        self.asked.borrow_mut().insert(id, Box::new(asker));
        self.send(&FromInspector::Ask(Ask { id, question }));
    }

    /// Has a page look into its databases, in this tab if it has one of the origin.
    pub fn look(&self, tab: Option<i64>, look: Look, looker: impl FnOnce(Sight) + 'static) {
        if self.port.borrow().is_none() {
            return later(0, move || looker(not_seen()));
        }
        let id = self.next();
        self.looking.borrow_mut().insert(id, Box::new(looker));
        self.send(&FromInspector::Look { id, tab, look });
    }

    fn next(&self) -> u64 {
        *self.last.borrow_mut() += 1;
        *self.last.borrow()
    }

    fn connect(self: &Rc<Self>) {
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
            // Nobody answers these any more.
            let asked = std::mem::take(&mut *link.asked.borrow_mut());
            for mut asker in asked.into_values() {
                asker(Reply::Failed(away()));
            }
            let looking = std::mem::take(&mut *link.looking.borrow_mut());
            for looker in looking.into_values() {
                looker(not_seen());
            }
            let again = Rc::clone(&link);
            later(AGAIN, move || again.connect());
        });
        port.on_disconnect()
            .add_listener(on_disconnect.into_js_value().unchecked_ref());
        self.port.replace(Some(port));
        // Of all tabs: events come from all of them, too.
        self.send(&FromInspector::Open { tab: None });
        self.pull();
        let tracing = *self.tracing.borrow();
        if tracing != Tracing::Off {
            self.send(&FromInspector::Trace(tracing));
        }
    }

    /// Has documents tell where they write from, for as long as this page lives.
    pub fn trace(&self, wanted: Tracing) {
        self.tracing.replace(wanted);
        self.send(&FromInspector::Trace(wanted));
    }

    /// Asks for what comes next in the feed. Whoever heard a stretch of it does so once it is taken in: a page that is out of sight
    /// takes nothing in, and is sent nothing.
    pub fn pull(&self) {
        let id = self.next();
        self.feed.replace(Some(id));
        self.send(&FromInspector::Ask(Ask {
            id,
            question: Question::Feed(self.since.borrow().clone()),
        }));
    }

    /// Begins the feed anew, with what was last.
    pub fn restart(&self) {
        self.since.replace(first());
        self.pull();
    }

    fn receive(self: &Rc<Self>, message: ToInspector) {
        match message {
            ToInspector::Background(background) => (self.heard)(Heard::Background(background)),
            ToInspector::Answer(answer) if *self.feed.borrow() == Some(answer.id) => self.fed(answer),
            ToInspector::Trace(trace) => (self.heard)(Heard::Trace(trace)),
            ToInspector::Seen(Seen { id, sight }) => {
                let looker = self.looking.borrow_mut().remove(&id);
                if let Some(looker) = looker {
                    looker(sight);
                }
            }
            ToInspector::Answer(Answer { id, reply }) => {
                let last = !matches!(&reply, Reply::Compared(compared) if !compared.done);
                // Taken out while it runs: it may ask again.
                let asker = self.asked.borrow_mut().remove(&id);
                if let Some(mut asker) = asker {
                    asker(reply);
                    if !last {
                        self.asked.borrow_mut().insert(id, asker);
                    }
                }
            }
        }
    }

    fn fed(self: &Rc<Self>, answer: Answer) {
        if let Reply::Feed(feed) = answer.reply {
            self.since.replace(feed.next.clone());
            (self.heard)(Heard::Feed(feed));
        } else {
            let again = Rc::clone(self);
            later(AGAIN, move || again.pull());
        }
    }
}

fn first() -> Since {
    Since {
        past: PAST,
        ..Since::default()
    }
}

fn away() -> HostError {
    HostError {
        code: ErrorCode::HostAway,
        message: "The extension's background was started again.".to_owned(),
        cure: "Ask again in a moment.".to_owned(),
        context: None,
    }
}

fn not_seen() -> Sight {
    let HostError { message, cure, .. } = away();
    Sight::Failed(Remark { message, cure })
}

/// Does something once, later.
pub fn later(milliseconds: i32, what: impl FnOnce() + 'static) {
    let callback = once(Box::new(what));
    if let Some(window) = web_sys::window() {
        let _timer = window
            .set_timeout_with_callback_and_timeout_and_arguments_0(callback.unchecked_ref(), milliseconds);
    }
}

/// A callback that is called once; of one type, so that its bindings are compiled once.
pub fn once(what: Box<dyn FnOnce()>) -> JsValue {
    Closure::once_into_js(what)
}

//! The port to the background.

use std::rc::Rc;

use protocol::inspect::{FromInspector, PORT, ToInspector};
use wasm_bindgen::prelude::*;

use super::chrome::{self, Port};

/// How long to wait before a port is opened again, in milliseconds.
const AGAIN: f64 = 200.0;

/// The way to the background. Browsers end a background that rests; then the page connects anew and is told everything again.
pub struct Link {
    port: std::cell::RefCell<Port>,
    tab: Option<i64>,
    on_message: Closure<dyn Fn(JsValue)>,
    on_disconnect: std::cell::OnceCell<Closure<dyn Fn()>>,
}

impl Link {
    /// Connects, and hands over whatever the background says of this tab, or of all.
    pub fn open(tab: Option<i64>, told: impl Fn(ToInspector) + 'static) -> Rc<Self> {
        let on_message = Closure::<dyn Fn(JsValue)>::new(move |text: JsValue| {
            let message = text.as_string().and_then(|text| protocol::json::read(&text).ok());
            if let Some(message) = message {
                told(message);
            }
        });
        let link = Rc::new(Self {
            port: std::cell::RefCell::new(connect()),
            tab,
            on_message,
            on_disconnect: std::cell::OnceCell::new(),
        });
        let again = Rc::downgrade(&link);
        let _first = link.on_disconnect.set(Closure::<dyn Fn()>::new(move || {
            if let Some(link) = again.upgrade() {
                let connected = Closure::once_into_js(move || {
                    link.port.replace(connect());
                    link.greet();
                });
                chrome::set_timeout(&connected, AGAIN);
            }
        }));
        link.greet();
        link
    }

    /// Tells the background something.
    pub fn send(&self, message: &FromInspector) {
        if let Ok(text) = serde_json::to_string(message) {
            // A port that has just broken is replaced, and the page shows how things are then.
            let _broken = self.port.borrow().post_message(&text.into());
        }
    }

    fn greet(&self) {
        {
            let port = self.port.borrow();
            port.on_message()
                .add_listener(self.on_message.as_ref().unchecked_ref());
            if let Some(listener) = self.on_disconnect.get() {
                port.on_disconnect()
                    .add_listener(listener.as_ref().unchecked_ref());
            }
        }
        self.send(&FromInspector::Open { tab: self.tab });
    }
}

fn connect() -> Port {
    chrome::connect(&chrome::object(&[("name", PORT.into())]))
}

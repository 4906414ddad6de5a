//! The port to the background.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
};

use protocol::wire::inspector::{FromInspector, PORT, ToInspector};
use wasm_bindgen::prelude::*;

use super::browser_api::{self, Port};
use crate::timing;

/// Browsers end an idle background. Then the page connects again, and the background sends its
/// whole state again.
pub struct BackgroundLink {
    port: RefCell<Port>,
    tab: Option<i64>,
    on_message: Closure<dyn Fn(JsValue)>,
    on_disconnect: OnceCell<Closure<dyn Fn()>>,
}

impl BackgroundLink {
    /// Connects. The receiver gets all messages about this tab, or about all tabs.
    pub fn open(tab: Option<i64>, receiver: impl Fn(ToInspector) + 'static) -> Rc<Self> {
        let on_message = Closure::<dyn Fn(JsValue)>::new(move |text: JsValue| {
            let message = text.as_string().and_then(|text| protocol::json::read(&text).ok());
            if let Some(message) = message {
                receiver(message);
            }
        });
        let link = Rc::new(Self {
            port: RefCell::new(open_port()),
            tab,
            on_message,
            on_disconnect: OnceCell::new(),
        });
        let weak = Rc::downgrade(&link);
        let _first = link.on_disconnect.set(Closure::<dyn Fn()>::new(move || {
            if let Some(link) = weak.upgrade() {
                let reconnect = Closure::once_into_js(move || {
                    link.port.replace(open_port());
                    link.subscribe();
                });
                browser_api::set_timeout(&reconnect, timing::RETRY_MS);
            }
        }));
        link.subscribe();
        link
    }

    pub fn send(&self, message: &FromInspector) {
        if let Ok(text) = serde_json::to_string(message) {
            // A port that has just broken is replaced. Then the background sends its state again.
            let _broken = self.port.borrow().post_message(&text.into());
        }
    }

    fn subscribe(&self) {
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

fn open_port() -> Port {
    browser_api::connect(&browser_api::object(&[("name", PORT.into())]))
}

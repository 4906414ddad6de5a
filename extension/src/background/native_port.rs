//! The connection to the host.

use protocol::HOST_NAME;
use wasm_bindgen::prelude::*;

use super::chrome::{self, Port};

/// An open port to the host, and what listens on it; dropping it ends both.
pub struct NativePort {
    port: Port,
    _on_message: Closure<dyn Fn(JsValue)>,
    _on_disconnect: Closure<dyn Fn(Port)>,
}

impl NativePort {
    /// Starts the host. `on_message` gets each message as JSON, `on_end` the reason for the end of
    /// the connection, which is also how a host that is not installed shows.
    pub fn open(
        on_message: impl Fn(&str) + 'static,
        on_end: impl Fn(&str) + 'static,
    ) -> Result<Self, JsValue> {
        let port = chrome::connect_native(HOST_NAME)?;
        let on_message = Closure::<dyn Fn(JsValue)>::new(move |message: JsValue| {
            if let Ok(text) = js_sys::JSON::stringify(&message) {
                on_message(&String::from(text));
            }
        });
        let on_disconnect = Closure::<dyn Fn(Port)>::new(move |port: Port| {
            let mut reason = chrome::last_error();
            if reason.is_empty() {
                reason = chrome::message_of(&port.error());
            }
            on_end(&reason);
        });
        port.on_message()
            .add_listener(&chrome::guarded(on_message.as_ref()));
        port.on_disconnect()
            .add_listener(&chrome::guarded(on_disconnect.as_ref()));
        Ok(Self {
            port,
            _on_message: on_message,
            _on_disconnect: on_disconnect,
        })
    }

    /// Sends a message, or an array of them. A port that has just broken says so by its end; what
    /// was sent is still in the outbox then.
    pub fn send(&self, json: &str) {
        let Ok(message) = js_sys::JSON::parse(json) else {
            return;
        };
        if self.port.post_message(&message).is_err()
            && let Some(messages) = message.dyn_ref::<js_sys::Array>()
        {
            // One that the browser cannot serialise takes no other along.
            for message in messages.iter() {
                let _unsent = self.port.post_message(&message);
            }
        }
    }

    /// Ends the connection; the host sees the end of its input.
    pub fn close(self) {
        self.port.disconnect();
    }
}

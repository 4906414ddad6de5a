//! The background as a test plays it: it sends what the background sends, and sees what the page
//! sends.

use std::cell::RefCell;

use js_sys::Array;
use protocol::wire::inspector::{
    Answer, Ask, Background, FromInspector, Look, Question, Reply, Seen, Sight, ToInspector,
};
use wasm_bindgen::prelude::*;

use crate::document::until_ok;

#[wasm_bindgen(module = "/src/background.js")]
extern "C" {
    fn install(url: &str, tab: i32);
    #[wasm_bindgen(js_name = addDevtools)]
    fn add_devtools();
    fn deliver(text: &str);
    #[wasm_bindgen(js_name = takeSent)]
    fn take_sent() -> Array;
    #[wasm_bindgen(js_name = takePermissionRequests)]
    fn take_permission_requests() -> Array;
}

/// The id of the inspected tab.
pub const TAB: i32 = 7;

/// See the [module](self).
pub struct TestBackground {
    /// The messages of the page that the test has not consumed yet.
    received: RefCell<Vec<FromInspector>>,
}

impl TestBackground {
    /// For a page of the extension, with a tab that shows a page at this URL.
    pub fn for_page(url: &str) -> Self {
        install(url, TAB);
        Self {
            received: RefCell::default(),
        }
    }

    /// For a panel in `DevTools` that inspects such a tab.
    pub fn for_panel(url: &str) -> Self {
        let background = Self::for_page(url);
        add_devtools();
        background
    }

    pub fn send(&self, message: &ToInspector) {
        match serde_json::to_string(message) {
            Ok(text) => deliver(&text),
            Err(error) => panic!("{message:?} cannot be written as JSON: {error}"),
        }
    }

    /// Sends the state of the extension.
    pub fn send_state(&self, state: Background) {
        self.send(&ToInspector::Background(Box::new(state)));
    }

    pub fn answer(&self, id: u64, reply: Reply) {
        self.send(&ToInspector::Answer(Answer { id, reply }));
    }

    pub fn answer_inspection(&self, id: u64, sight: Sight) {
        self.send(&ToInspector::Seen(Seen { id, sight }));
    }

    /// Waits for a message of the page that `select` accepts, and consumes it.
    #[track_caller]
    pub fn until_message<T>(
        &self,
        expected: &str,
        select: impl Fn(&FromInspector) -> Option<T>,
    ) -> impl Future<Output = T> {
        until_ok(expected, move || {
            let mut received = self.received.borrow_mut();
            received.extend(take_sent().iter().filter_map(|text| {
                let text = text.as_string()?;
                Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
            }));
            let found = received
                .iter()
                .enumerate()
                .find_map(|(index, message)| Some((index, select(message)?)));
            match found {
                Some((index, selected)) => {
                    received.remove(index);
                    Ok(selected)
                }
                None => Err(format!("{received:?}")),
            }
        })
    }

    /// Waits for a question of the page to the host; its id.
    #[track_caller]
    pub fn until_question(
        &self,
        expected: &str,
        is_expected: impl Fn(&Question) -> bool,
    ) -> impl Future<Output = u64> {
        self.until_message(expected, move |message| match message {
            FromInspector::Ask(Ask { id, question }) if is_expected(question) => Some(*id),
            _ => None,
        })
    }

    /// Waits for the question for the host's health; its id.
    #[track_caller]
    pub fn until_health_question(&self) -> impl Future<Output = u64> {
        self.until_question("the host's health", |question| {
            matches!(question, Question::Health {})
        })
    }

    /// Waits until the page enables or disables a site: its origin, and whether it is enabled.
    #[track_caller]
    pub fn until_capture_decision(&self) -> impl Future<Output = (String, bool)> {
        self.until_message("a decision on a site", |message| match message {
            FromInspector::Capture { origin, enabled } => Some((origin.clone(), *enabled)),
            _ => None,
        })
    }

    /// Waits until the page wants databases to be inspected; the id, and what to inspect.
    #[track_caller]
    pub fn until_inspection(&self) -> impl Future<Output = (u64, Look)> {
        self.until_message("an inspection", |message| match message {
            FromInspector::Look { id, look, .. } => Some((*id, look.clone())),
            _ => None,
        })
    }

    /// The permissions that the page requested (`+pattern`) or gave back (`-pattern`) since the
    /// last call.
    pub fn permission_requests(&self) -> Vec<String> {
        take_permission_requests()
            .iter()
            .filter_map(|pattern| pattern.as_string())
            .collect()
    }
}

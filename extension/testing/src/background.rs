//! The far end of the port between a page and the background.

use std::cell::RefCell;

use js_sys::Array;
use protocol::inspect::{
    Answer, Ask, Background as Told, FromInspector, Look, Question, Reply, Seen, Sight, ToInspector,
};
use wasm_bindgen::prelude::*;

use crate::document::until_some;

#[wasm_bindgen(module = "/src/background.js")]
extern "C" {
    fn install(url: &str, tab: i32);
    fn inspect();
    fn tell(text: &str);
    fn hear() -> Array;
    #[wasm_bindgen(js_name = permissions)]
    fn take_permissions() -> Array;
}

/// The tab that the page is about.
pub const TAB: i32 = 7;

/// See the [module](self).
pub struct Background {
    /// What the page has said and no test has asked for yet.
    heard: RefCell<Vec<FromInspector>>,
}

impl Background {
    /// Behind a page of its own, with a tab that shows a page at an address.
    pub fn of_tab(url: &str) -> Self {
        install(url, TAB);
        Self {
            heard: RefCell::default(),
        }
    }

    /// Behind a panel in `DevTools` that inspects such a tab.
    pub fn of_devtools(url: &str) -> Self {
        let background = Self::of_tab(url);
        inspect();
        background
    }

    /// Says something.
    pub fn tell(&self, message: &ToInspector) {
        match serde_json::to_string(message) {
            Ok(text) => tell(&text),
            Err(error) => panic!("{message:?} is no JSON: {error}"),
        }
    }

    /// Says how the extension is.
    pub fn is(&self, told: Told) {
        self.tell(&ToInspector::Background(told));
    }

    /// Answers a question.
    pub fn answer(&self, id: u64, reply: Reply) {
        self.tell(&ToInspector::Answer(Answer { id, reply }));
    }

    /// Answers a look into the databases of a page.
    pub fn show(&self, id: u64, sight: Sight) {
        self.tell(&ToInspector::Seen(Seen { id, sight }));
    }

    /// Waits until the page says something that fits, and takes it.
    #[track_caller]
    pub fn hears<T>(
        &self,
        what: &str,
        fits: impl Fn(&FromInspector) -> Option<T>,
    ) -> impl Future<Output = T> {
        until_some(what, move || {
            let mut heard = self.heard.borrow_mut();
            heard.extend(hear().iter().filter_map(|text| {
                let text = text.as_string()?;
                Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
            }));
            let found = heard
                .iter()
                .enumerate()
                .find_map(|(index, message)| Some((index, fits(message)?)));
            match found {
                Some((index, fitting)) => {
                    heard.remove(index);
                    Ok(fitting)
                }
                None => Err(format!("{heard:?}")),
            }
        })
    }

    /// Waits until the page asks the host something that fits; the question's number.
    #[track_caller]
    pub fn is_asked(&self, what: &str, fits: impl Fn(&Question) -> bool) -> impl Future<Output = u64> {
        self.hears(what, move |message| match message {
            FromInspector::Ask(Ask { id, question }) if fits(question) => Some(*id),
            _ => None,
        })
    }

    /// Waits until the page asks how the host is; the question's number.
    #[track_caller]
    pub fn is_asked_for_health(&self) -> impl Future<Output = u64> {
        self.is_asked("the host's health", |question| {
            matches!(question, Question::Health {})
        })
    }

    /// Waits until the page decides on a site: its origin, and whether it is to be captured.
    #[track_caller]
    pub fn hears_decision(&self) -> impl Future<Output = (String, bool)> {
        self.hears("a decision on a site", |message| match message {
            FromInspector::Capture { origin, enabled } => Some((origin.clone(), *enabled)),
            _ => None,
        })
    }

    /// Waits until the page wants to look into databases; the look's number, and what it is.
    #[track_caller]
    pub fn is_to_look(&self) -> impl Future<Output = (u64, Look)> {
        self.hears("a look", |message| match message {
            FromInspector::Look { id, look, .. } => Some((*id, look.clone())),
            _ => None,
        })
    }

    /// The permissions that the page has asked the browser for (`+pattern`) or given back (`-pattern`) since this was last asked.
    pub fn permissions(&self) -> Vec<String> {
        take_permissions()
            .iter()
            .filter_map(|pattern| pattern.as_string())
            .collect()
    }
}

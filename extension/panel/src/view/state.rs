//! What the screen shows, as signals, and what a person can do.

use std::{
    collections::{HashSet, VecDeque},
    rc::Rc,
};

use leptos::prelude::*;
use protocol::{
    inspect::{Background, FromInspector, Health, Question, Reply, Store},
    origin::OriginPattern,
};

use super::page;
use crate::{
    link::{self, Heard, Link},
    model::{Model, Row},
    query::Query,
    recording,
};

/// How often the host is asked how it is, in milliseconds.
const PACE: i32 = 1000;
/// How many seconds the chart shows.
pub const CHART: usize = 60;

/// The two views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Events,
    Stores,
}

/// The events that the filter lets through, by their places.
#[derive(Debug, Default)]
pub struct Visible {
    pub places: VecDeque<usize>,
    /// Places before this one have been looked at.
    looked: usize,
}

/// A second of the chart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Second {
    pub events: usize,
    /// Milliseconds to Memcached, half of the events are faster.
    pub lag: Option<f64>,
}

/// See the [module](self).
#[derive(Clone, Copy)]
pub struct State {
    link: StoredValue<Rc<Link>, LocalStorage>,
    pub tab: RwSignal<Tab>,
    pub model: RwSignal<Model>,
    pub background: RwSignal<Option<Background>>,
    pub health: RwSignal<Option<Health>>,
    /// The origin of the inspected page.
    pub origin: RwSignal<Option<String>>,
    pub chart: RwSignal<VecDeque<Second>>,
    /// The filter as it is written.
    pub filter: RwSignal<String>,
    pub query: Memo<Result<Query, String>>,
    pub visible: RwSignal<Visible>,
    /// The place of the event whose details are shown.
    pub selected: RwSignal<Option<usize>>,
    /// The display rests.
    pub frozen: RwSignal<bool>,
    /// The newest event is kept in sight.
    pub follow: RwSignal<bool>,
    /// A recording's name, if one is shown instead of what happens.
    pub recording: RwSignal<Option<String>>,
    pub palette: RwSignal<bool>,
    pub toast: RwSignal<String>,
    pub stores: RwSignal<Option<Result<Vec<Store>, String>>>,
    /// Events that could not be read.
    pub unread: RwSignal<usize>,
    /// Paths of trees that were opened or closed.
    pub toggled: RwSignal<HashSet<String>>,
}

impl State {
    pub fn new() -> Self {
        let (model, background) = (RwSignal::new(Model::default()), RwSignal::new(None));
        let (recording, unread) = (RwSignal::new(None), RwSignal::new(0));
        let link = Link::open(link::inspected_tab(), move |heard| match heard {
            Heard::Background(told) => background.set(Some(told)),
            // While a recording is shown, what happens is not kept; the feed starts again behind it.
            Heard::Feed(_) if recording.with_untracked(Option::is_some) => {}
            Heard::Feed(feed) => {
                let mut failed = 0;
                model.update(|model| failed = model.take(&feed));
                if failed > 0 {
                    unread.update(|unread| *unread += failed);
                }
            }
        });
        let filter = RwSignal::new(String::new());
        let state = Self {
            link: StoredValue::new_local(link),
            tab: RwSignal::new(Tab::Events),
            model,
            background,
            health: RwSignal::new(None),
            origin: RwSignal::new(None),
            chart: RwSignal::new(VecDeque::from(vec![Second::default(); CHART])),
            filter,
            query: Memo::new(move |_| filter.with(|text| Query::parse(text)).map_err(|error| error.0)),
            visible: RwSignal::new(Visible::default()),
            selected: RwSignal::new(None),
            frozen: RwSignal::new(false),
            follow: RwSignal::new(true),
            recording,
            palette: RwSignal::new(false),
            toast: RwSignal::new(String::new()),
            stores: RwSignal::new(None),
            unread,
            toggled: RwSignal::new(HashSet::new()),
        };
        state.filter_what_comes();
        state.watch_health(0);
        link::on_origin(move |origin| state.origin.set(origin));
        state
    }

    /// Keeps `visible` in step with the model and the query: new events are looked at once, all of them when the query changes.
    fn filter_what_comes(self) {
        Effect::new(move |before: Option<Option<Query>>| {
            let query = self.query.with(|query| query.as_ref().ok().cloned());
            let frozen = self.frozen.get();
            self.model.with(|model| {
                let same = before.as_ref().is_some_and(|before| *before == query);
                // A filter that is being written and makes no sense yet changes nothing.
                let Some(query) = &query else { return };
                self.visible.update(|visible| {
                    let places = model.places();
                    if !same || visible.looked > places.end || query.changes_later() && !frozen {
                        *visible = Visible {
                            looked: places.start,
                            ..Visible::default()
                        };
                    }
                    while visible.places.front().is_some_and(|place| *place < places.start) {
                        visible.places.pop_front();
                    }
                    if frozen && same {
                        return;
                    }
                    let from = visible.looked.max(places.start);
                    let new = (from..places.end)
                        .filter(|place| model.row(*place).is_some_and(|row| query.holds(row)));
                    visible.places.extend(new);
                    visible.looked = places.end;
                });
            });
            query
        });
    }

    fn watch_health(self, seen: usize) {
        self.link.with_value(|link| {
            link.ask(Question::Health {}, move |reply| {
                self.health.set(match reply {
                    Reply::Health(health) => Some(health),
                    _ => None,
                });
            });
        });
        let end = self.model.with_untracked(|model| model.places().end);
        let lag = self.health.with_untracked(|health| {
            let sinks = &health.as_ref()?.sinks;
            Some(sinks.iter().find(|sink| sink.name == "memcached")?.lag?.p50)
        });
        self.chart.update(|chart| {
            chart.pop_front();
            chart.push_back(Second {
                events: end.saturating_sub(seen.min(end)),
                lag,
            });
        });
        link::later(PACE, move || self.watch_health(end));
    }

    /// Whether the site of the inspected page is captured; `None`: there is no such page, or it is not known yet.
    pub fn is_enabled(self) -> Option<bool> {
        let origin = self.origin.get()?;
        self.background.with(|background| {
            let origins = &background.as_ref()?.origins;
            Some(
                origins.keys().any(|pattern| {
                    OriginPattern::parse(pattern).is_ok_and(|pattern| pattern.matches(&origin))
                }),
            )
        })
    }

    /// Captures the inspected site, or does so no more. Has to be called while a click is being handled.
    pub fn capture(self, enabled: bool) {
        let Some(origin) = self.origin.get_untracked() else {
            return;
        };
        // The decision goes first: the browser's question may take the focus away.
        self.tell(&FromInspector::Capture {
            origin: origin.clone(),
            enabled,
        });
        if let (true, Ok(pattern)) = (enabled, OriginPattern::parse(&origin)) {
            link::request_permission(&pattern.match_pattern());
        }
    }

    pub fn tell(self, message: &FromInspector) {
        self.link.with_value(|link| link.send(message));
    }

    pub fn ask(self, question: Question, asker: impl FnMut(Reply) + 'static) {
        self.link.with_value(|link| link.ask(question, asker));
    }

    pub fn toggle_display(self) {
        self.frozen.update(|frozen| *frozen = !*frozen);
    }

    pub fn toggle_capture(self) {
        let paused = self
            .background
            .with_untracked(|background| background.as_ref().is_some_and(|told| told.paused));
        self.tell(&FromInspector::Pause { paused: !paused });
    }

    pub fn clear(self) {
        self.selected.set(None);
        self.visible.set(Visible::default());
        self.model.update(Model::clear);
    }

    /// Selects the event so many lines further down.
    pub fn step(self, lines: isize) -> bool {
        let place = self.visible.with_untracked(|visible| {
            let last = visible.places.len().checked_sub(1)?;
            let now = self
                .selected
                .get_untracked()
                .map(|place| visible.places.partition_point(|other| *other < place));
            let index = match now {
                Some(index) => index.saturating_add_signed(lines).min(last),
                None if lines < 0 => last,
                None => 0,
            };
            visible.places.get(index).copied()
        });
        if place.is_some() {
            self.follow.set(false);
            self.selected.set(place);
        }
        place.is_some()
    }

    /// Something of the event that is selected.
    pub fn of_selected<T>(self, of: impl FnOnce(&Row, &Model) -> T) -> Option<T> {
        let place = self.selected.get()?;
        self.model
            .with(|model| model.row(place).map(|row| of(row, model)))
    }

    pub fn say(self, text: &str) {
        self.toast.set(text.to_owned());
        link::later(1600, move || self.toast.set(String::new()));
    }

    pub fn copy(self, what: &str, text: &str) {
        self.say(&if page::copy(text) {
            format!("{what} copied")
        } else {
            format!("{what} could not be copied")
        });
    }

    pub fn export(self) {
        let text = self.model.with_untracked(|model| {
            self.visible.with_untracked(|visible| {
                recording::write(visible.places.iter().filter_map(|place| model.row(*place)))
            })
        });
        page::download(&format!("idb-relay-{}.ndjson", page::stamp()), &text);
    }

    /// Shows a recording instead of what happens.
    pub fn import(self, name: &str, text: &str) {
        match recording::read(text) {
            Ok(rows) => {
                self.clear();
                self.recording.set(Some(name.to_owned()));
                self.model
                    .update(|model| rows.into_iter().for_each(|row| model.push(row)));
            }
            Err((line, error)) => self.say(&format!("{name}, line {line}, is no event: {error}")),
        }
    }

    /// Back from a recording to what happens. The page starts anew: what came meanwhile was not kept.
    pub fn live(self) {
        if let Some(window) = web_sys::window() {
            let _reloading = window.location().reload();
        }
    }

    pub fn load_stores(self) {
        self.ask(Question::Stores {}, move |reply| {
            self.stores.set(Some(match reply {
                Reply::Stores(stores) => Ok(stores),
                Reply::Failed(error) => Err(format!("{} {}", error.message, error.cure)),
                _ => Err("The host answered something else.".to_owned()),
            }));
        });
    }
}

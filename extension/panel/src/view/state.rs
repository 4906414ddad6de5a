//! What the screen shows, as signals, and what a person can do.
//!
//! What comes is taken in once a frame ([`State::pulse`]), whatever its rate: one look at the filter, one change of the screen.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    rc::Rc,
};

use leptos::prelude::*;
use protocol::{
    inspect::{
        Background, Document, Feed, FromInspector, Health, Look, Question, Reply, Sight, Store, Tracing,
    },
    origin::OriginPattern,
};

use super::page;
use crate::{
    browser,
    chart::Second,
    link::{self, Heard, Link},
    model::{Model, Row},
    query::Query,
    recording,
    shown::Shown,
    stack::Stacks,
};

/// How often the host is asked how it is, in milliseconds.
const PACE: i32 = 1000;
/// How often numbers change at most while events stream in, in milliseconds: nobody reads faster.
const COUNTING: i32 = 200;
/// How many seconds the chart shows.
pub const CHART: usize = 60;
/// How many documents are remembered after they have gone, so that their events still say where they come from.
const DOCUMENTS: usize = 1000;
/// A row's height in pixels; the style sheet says the same.
pub const ROW: usize = 24;

/// The two views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Events,
    Stores,
}

/// How many events there are, as it is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub shown: usize,
    pub there: usize,
    pub gone: usize,
    pub unread: usize,
}

/// What lies over the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Palette,
    Help,
    Doctor,
}

/// See the [module](self).
#[derive(Clone, Copy)]
pub struct State {
    link: StoredValue<Rc<Link>, LocalStorage>,
    /// What has come and is not taken in yet.
    coming: StoredValue<Vec<Feed>>,
    /// Whether a frame is waited for.
    awaited: StoredValue<bool>,
    pub tab: RwSignal<Tab>,
    pub model: RwSignal<Model>,
    pub shown: RwSignal<Shown>,
    pub counts: RwSignal<Counts>,
    /// Whether they are not to change for a moment.
    counted: StoredValue<bool>,
    /// Whether a file of the events is wanted as soon as it is known which.
    exported: StoredValue<bool>,
    /// Whether some of the events have not been looked at yet.
    pub looking: RwSignal<bool>,
    pub background: RwSignal<Option<Background>>,
    pub documents: RwSignal<HashMap<String, Document>>,
    pub health: RwSignal<Option<Health>>,
    /// Why the host could not say how it is.
    pub unwell: RwSignal<Option<String>>,
    /// The tab that is inspected.
    pub inspected: Option<i64>,
    /// The origin of the inspected page.
    pub origin: RwSignal<Option<String>>,
    /// Only what the inspected site wrote is shown.
    pub only_site: RwSignal<bool>,
    pub chart: RwSignal<VecDeque<Second>>,
    /// The filter as it is written.
    pub filter: RwSignal<String>,
    pub query: Memo<Result<Query, String>>,
    /// The texts that are searched for.
    pub texts: Memo<Vec<String>>,
    /// The place of the event whose details are shown.
    pub selected: RwSignal<Option<usize>>,
    /// The display rests.
    pub frozen: RwSignal<bool>,
    /// The newest event is kept in sight.
    pub follow: RwSignal<bool>,
    /// How far the list is scrolled, and how high it is, in pixels.
    pub top: RwSignal<usize>,
    pub height: RwSignal<usize>,
    /// How many letters the list's wide columns have room for ([`crate::words::columns`]).
    pub letters: RwSignal<(usize, usize)>,
    /// A recording's name, if one is shown instead of what happens.
    pub recording: RwSignal<Option<String>>,
    pub over: RwSignal<Option<Over>>,
    pub toast: RwSignal<String>,
    /// Whether the inspected page tells where it writes from.
    pub tracing: RwSignal<bool>,
    pub stacks: RwSignal<Stacks>,
    pub stores: RwSignal<Option<Result<Vec<Store>, String>>>,
    /// Paths of trees that were opened or closed.
    pub toggled: RwSignal<BTreeSet<String>>,
}

impl State {
    pub fn new() -> Self {
        let background = RwSignal::new(None::<Background>);
        let documents = RwSignal::new(HashMap::new());
        let coming = StoredValue::new(Vec::new());
        let news = RwSignal::new(());
        let stacks = RwSignal::new(Stacks::default());
        let link = Link::open(move |heard| match heard {
            Heard::Background(told) => {
                documents.update(|documents| remember(documents, &told.documents));
                background.set(Some(told));
            }
            Heard::Trace(trace) => stacks.update(|stacks| stacks.take(trace)),
            Heard::Feed(feed) => {
                coming.update_value(|coming: &mut Vec<Feed>| coming.push(feed));
                news.notify();
            }
        });
        let filter = RwSignal::new(String::new());
        let query = Memo::new(move |_| filter.with(|text| Query::parse(text)).map_err(|error| error.0));
        let state = Self {
            link: StoredValue::new_local(link),
            coming,
            awaited: StoredValue::new(false),
            tab: RwSignal::new(Tab::Events),
            model: RwSignal::new(Model::default()),
            shown: RwSignal::new(Shown::default()),
            counts: RwSignal::new(Counts::default()),
            counted: StoredValue::new(false),
            exported: StoredValue::new(false),
            looking: RwSignal::new(false),
            background,
            documents,
            health: RwSignal::new(None),
            unwell: RwSignal::new(None),
            inspected: browser::inspected_tab(),
            origin: RwSignal::new(None),
            only_site: RwSignal::new(true),
            chart: RwSignal::new(VecDeque::from(vec![Second::default(); CHART])),
            filter,
            query,
            texts: Memo::new(move |_| {
                query.with(|query| {
                    let texts = query.iter().flat_map(Query::texts);
                    texts.map(str::to_owned).collect()
                })
            }),
            selected: RwSignal::new(None),
            frozen: RwSignal::new(false),
            follow: RwSignal::new(true),
            top: RwSignal::new(0),
            height: RwSignal::new(800),
            letters: RwSignal::new((50, 60)),
            recording: RwSignal::new(None),
            over: RwSignal::new(None),
            toast: RwSignal::new(String::new()),
            tracing: RwSignal::new(false),
            stacks,
            stores: RwSignal::new(None),
            toggled: RwSignal::new(BTreeSet::new()),
        };
        Effect::new(move |_| {
            news.track();
            state.pulse();
        });
        // Another filter looks at everything again.
        Effect::new(move |_| {
            if state.effective().is_some() {
                state.shown.update(Shown::restart);
                state.pulse();
            }
        });
        state.watch_health(None);
        browser::on_origin(move |origin| state.origin.set(origin));
        state
    }

    /// The filter with the site that it is confined to; `None` while what is written makes no sense, which changes nothing.
    fn effective(self) -> Option<Query> {
        let site = self.only_site.get() && self.recording.with(Option::is_none);
        let origin = self.origin.get().filter(|_| site);
        self.query.with(|query| {
            let query = query.as_ref().ok()?;
            Some(query.clone().within(origin))
        })
    }

    /// Takes in, with the next frame, what has come.
    pub fn pulse(self) {
        if !self
            .awaited
            .try_update_value(|awaited| std::mem::replace(awaited, true))
            .unwrap_or(true)
        {
            page::soon(move || {
                self.awaited.set_value(false);
                self.take_in();
            });
        }
    }

    fn take_in(self) {
        let coming = self.coming.try_update_value(std::mem::take).unwrap_or_default();
        // While a recording is shown, what happens is not kept; the feed starts again behind it.
        if !coming.is_empty() && self.recording.with_untracked(Option::is_none) {
            self.model
                .update(|model| coming.iter().for_each(|feed| model.take(feed)));
            self.link.with_value(|link| link.pull());
        }
        let frozen = self.frozen.get_untracked();
        let Some(query) = untrack(|| self.effective()) else {
            return;
        };
        let mut changed = None;
        self.model.try_update_untracked(|model| changed = model.changed());
        let (mut more, mut gone) = (false, 0);
        self.shown.update(|shown| {
            self.model.with_untracked(|model| {
                if frozen && !shown.is_looking() {
                    gone = shown.forget(model.places().start);
                    return;
                }
                if let Some(place) = changed {
                    shown.changed(place, &query);
                }
                (more, gone) = shown.advance(model, &query);
            });
        });
        if self.looking.get_untracked() != more {
            self.looking.set(more);
        }
        self.count();
        if self.follow.get_untracked() {
            let content = self.shown.with_untracked(Shown::len) * ROW;
            self.scroll_to(content.saturating_sub(self.height.get_untracked()));
        } else if gone > 0 {
            // What is looked at stays where it is.
            self.scroll_to(self.top.get_untracked().saturating_sub(gone * ROW));
        }
        if more {
            self.pulse();
        } else if self.exported.get_value() {
            self.exported.set_value(false);
            self.offer_file();
        }
    }

    /// Says how many events there are, now and then.
    fn count(self) {
        if self.counted.get_value() {
            return;
        }
        let (there, gone, unread) = self
            .model
            .with_untracked(|model| (model.places().len(), model.gone(), model.unread()));
        let counts = Counts {
            shown: self.shown.with_untracked(Shown::len),
            there,
            gone,
            unread,
        };
        if self.counts.get_untracked() != counts {
            self.counts.set(counts);
            self.counted.set_value(true);
            link::later(COUNTING, move || {
                self.counted.set_value(false);
                self.count();
            });
        }
    }

    /// Says how far the list is to be scrolled.
    pub fn scroll_to(self, top: usize) {
        if self.top.get_untracked() != top {
            self.top.set(top);
        }
    }

    /// Asks after the host's health now and then. `seen`: the last event that it had.
    fn watch_health(self, seen: Option<u64>) {
        self.ask(Question::Health {}, move |reply| {
            let (health, unwell) = match reply {
                Reply::Health(health) => (Some(health), None),
                Reply::Failed(error) => (None, Some(format!("{} {}", error.message, error.cure))),
                _ => (None, None),
            };
            let head = health.as_ref().map(|health| health.head);
            let last = health.as_ref().and_then(|health| {
                let sinks = health.sinks.iter().filter(|sink| sink.enabled);
                sinks.filter_map(|sink| sink.lag).next_back()
            });
            self.chart.update(|chart| {
                chart.pop_front();
                chart.push_back(Second {
                    events: match (head, seen) {
                        (Some(head), Some(seen)) => head.saturating_sub(seen),
                        _ => 0,
                    },
                    lag: last.map(|lag| lag.p50),
                });
            });
            self.health.set(health);
            self.unwell.set(unwell);
            link::later(PACE, move || self.watch_health(head.or(seen)));
        });
    }

    /// Whether the site of the inspected page is captured; `None`: there is no such page, or it is not known yet.
    pub fn is_enabled(self) -> Option<bool> {
        let origin = self.origin.get()?;
        self.background.with(|background| {
            let mut patterns = background.as_ref()?.origins.keys();
            Some(patterns.any(|pattern| matches(pattern, &origin)))
        })
    }

    /// Whether the browser's permission for the inspected site is missing.
    pub fn is_ungranted(self) -> bool {
        let Some(origin) = self.origin.get() else {
            return false;
        };
        self.background.with(|background| {
            let mut ungranted = background.iter().flat_map(|told| &told.ungranted);
            ungranted.any(|pattern| matches(pattern, &origin))
        })
    }

    /// The documents of the inspected tab, or of all.
    pub fn inspected_documents(self) -> Vec<Document> {
        self.background.with(|background| {
            let documents = background.iter().flat_map(|told| &told.documents);
            documents
                .filter(|document| self.inspected.is_none_or(|tab| tab == document.tab))
                .cloned()
                .collect()
        })
    }

    /// Captures the inspected site, or does so no more. Has to be called while a click is being handled.
    pub fn capture(self, enabled: bool) {
        let Some(origin) = self.origin.get_untracked() else {
            return;
        };
        // The decision goes first: the browser's question may take the focus away.
        self.tell(&FromInspector::Capture { origin, enabled });
        if enabled {
            self.grant();
        }
    }

    /// Asks for the permission for the inspected site. Has to be called while a click is being handled.
    pub fn grant(self) {
        if let Some(Ok(pattern)) = self
            .origin
            .get_untracked()
            .map(|origin| OriginPattern::parse(&origin))
        {
            browser::request_permission(&pattern.match_pattern());
        }
    }

    pub fn tell(self, message: &FromInspector) {
        self.link.with_value(|link| link.send(message));
    }

    pub fn ask(self, question: Question, asker: impl FnMut(Reply) + 'static) {
        self.link.with_value(|link| link.ask(question, asker));
    }

    /// Has a page of the origin look into its databases: the inspected one if it is of that origin.
    pub fn look(self, look: Look, looker: impl FnOnce(Sight) + 'static) {
        let here = self
            .origin
            .with_untracked(|origin| origin.as_deref() == Some(look.origin()));
        let tab = self.inspected.filter(|_| here);
        self.link.with_value(|link| link.look(tab, look, looker));
    }

    pub fn toggle_display(self) {
        self.frozen.update(|frozen| *frozen = !*frozen);
        self.pulse();
    }

    pub fn toggle_follow(self) {
        self.follow.update(|follow| *follow = !*follow);
        self.pulse();
    }

    pub fn toggle_tracing(self) {
        self.tracing.update(|tracing| *tracing = !*tracing);
        let wanted = match (self.tracing.get_untracked(), self.inspected) {
            (false, _) => Tracing::Off,
            (true, Some(tab)) => Tracing::Tab(tab),
            (true, None) => Tracing::All,
        };
        self.link.with_value(|link| link.trace(wanted));
    }

    pub fn toggle_capture(self) {
        let paused = self
            .background
            .with_untracked(|background| background.as_ref().is_some_and(|told| told.paused));
        self.tell(&FromInspector::Pause { paused: !paused });
    }

    pub fn clear(self) {
        self.selected.set(None);
        self.model.update(Model::clear);
        self.stacks.update(Stacks::clear);
        self.shown.update(Shown::clear);
        self.count();
        self.follow.set(true);
        self.scroll_to(0);
    }

    /// Selects the event so many lines further down.
    pub fn step(self, lines: isize) -> bool {
        if self.tab.get_untracked() != Tab::Events {
            return false;
        }
        let place = self.shown.with_untracked(|shown| {
            let last = shown.len().checked_sub(1)?;
            let now = self.selected.get_untracked().map(|place| shown.index_of(place));
            let index = match now {
                Some(index) => index.saturating_add_signed(lines).min(last),
                None if lines < 0 => last,
                None => 0,
            };
            shown.places().get(index).copied()
        });
        if let Some(place) = place {
            self.select(place);
        }
        place.is_some()
    }

    /// Shows an event's details, and brings it into sight.
    pub fn select(self, place: usize) {
        self.selected.set(Some(place));
        let at = self.shown.with_untracked(|shown| shown.index_of(place)) * ROW;
        let (top, height) = (self.top.get_untracked(), self.height.get_untracked());
        if at < top || at + ROW > top + height {
            self.follow.set(false);
            let wanted = if at < top {
                at
            } else {
                (at + ROW).saturating_sub(height)
            };
            self.scroll_to(wanted);
        }
    }

    /// The event that is selected; tracks it and the model.
    pub fn selected_row(self) -> Option<Row> {
        let place = self.selected.get()?;
        self.model.with(|model| model.row(place).cloned())
    }

    pub fn say(self, text: &str) {
        let said = text.to_owned();
        self.toast.set(said.clone());
        link::later(2500, move || {
            if self.toast.get_untracked() == said {
                self.toast.set(String::new());
            }
        });
    }

    pub fn copy(self, what: &str, text: &str) {
        self.say(&if page::copy(text) {
            format!("{what} copied")
        } else {
            format!("{what} could not be copied")
        });
    }

    /// Saves the events shown. What a filter lets through is known only once it has looked at everything.
    pub fn export(self) {
        self.exported.set_value(true);
        self.pulse();
    }

    fn offer_file(self) {
        let text = self.model.with_untracked(|model| {
            self.shown.with_untracked(|shown| {
                recording::write(shown.places().iter().filter_map(|place| model.row(*place)))
            })
        });
        page::download(&format!("idb-relay-{}.ndjson", page::stamp()), &text);
    }

    /// Shows a recording instead of what happens.
    pub fn import(self, name: &str, text: &str) {
        match recording::read(text) {
            Ok(recorded) => {
                self.clear();
                self.frozen.set(false);
                self.tab.set(Tab::Events);
                self.recording.set(Some(name.to_owned()));
                self.model.set(recorded);
                self.pulse();
            }
            Err((line, error)) => self.say(&format!("{name}, line {line}, is no event: {error}")),
        }
    }

    /// Back from a recording to what happens.
    pub fn live(self) {
        self.clear();
        self.recording.set(None);
        self.link.with_value(|link| link.restart());
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

fn matches(pattern: &str, origin: &str) -> bool {
    OriginPattern::parse(pattern).is_ok_and(|pattern| pattern.matches(origin))
}

fn remember(known: &mut HashMap<String, Document>, documents: &[Document]) {
    if known.len() > DOCUMENTS {
        known.clear();
    }
    for document in documents {
        known.insert(document.context.clone(), document.clone());
    }
}

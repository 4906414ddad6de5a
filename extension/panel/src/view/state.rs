//! What the screen shows, as signals, and what a person can do.
//!
//! - [`intake`]: what comes. [`health`]: how the host is. [`site`]: the inspected page's site.
//! - [`selection`]: which event is looked at. [`switches`]: what is on or off. [`recording`]: events as files.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    rc::Rc,
};

use leptos::prelude::*;
use protocol::inspect::{
    Background, Document, Feed, FromInspector, Health, Look, Question, Remark, Reply, Sight, Store,
};

use super::page;
use crate::{
    browser,
    chart::Second,
    link::{self, Heard, Link},
    model::Model,
    pace::Pace,
    query::Query,
    shown::Shown,
    stack::Stacks,
};

mod health;
mod intake;
mod recording;
mod selection;
mod site;
mod switches;

pub use self::{intake::Counts, selection::Step};

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
    /// How often it is drawn, and whether the end of a rest is waited for.
    pace: StoredValue<Pace>,
    resting: StoredValue<bool>,
    /// How many of the events shown have gone from above since it was drawn.
    lost: StoredValue<usize>,
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
    pub unwell: RwSignal<Option<Remark>>,
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
    /// The filter that holds: the last one that made sense.
    pub standing: Memo<Query>,
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
        let standing = Memo::new(move |last: Option<&Query>| {
            query.with(|query| match query {
                Ok(query) => query.clone(),
                Err(_) => last.cloned().unwrap_or_default(),
            })
        });
        let state = Self {
            link: StoredValue::new_local(link),
            coming,
            pace: StoredValue::new(Pace::default()),
            resting: StoredValue::new(false),
            lost: StoredValue::new(0),
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
            standing,
            texts: Memo::new(move |_| standing.with(|query| query.texts().map(str::to_owned).collect())),
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
            let _tracked = state.effective();
            state.shown.update(Shown::restart);
            state.refresh();
        });
        state.watch_health(None);
        browser::on_origin(move |origin| state.origin.set(origin));
        state
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

fn remember(known: &mut HashMap<String, Document>, documents: &[Document]) {
    if known.len() > DOCUMENTS {
        known.clear();
    }
    for document in documents {
        known.insert(document.context.clone(), document.clone());
    }
}

//! What the screen shows, as signals, and what a person can do.
//!
//! - [`intake`]: what comes. [`memory`]: what was found of stores and records. [`health`]: how the host is. [`site`]: the inspected page's site.
//! - [`selection`]: which event is looked at. [`switches`]: what is on or off. [`recording`]: events as files.

use std::{collections::VecDeque, rc::Rc};

use leptos::prelude::*;
use protocol::{
    inspect::{
        Background, Check, Document, FromInspector, Health, Look, Question, Remark, Reply, Sight, Store,
    },
    table::Table,
};

use super::{lasting::Lasting, page};
use crate::{
    browser,
    chart::Second,
    link::{self, Heard, Link},
    model::{Model, Row},
    query::Query,
    shown::Shown,
    stack::Stacks,
};

mod health;
mod intake;
mod memory;
mod recording;
mod selection;
mod site;
mod switches;

use self::intake::Intake;
pub use self::{intake::Counts, memory::Memory, selection::Step};

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
    intake: Intake,
    pub tab: Lasting<Tab>,
    pub model: Lasting<Model>,
    pub shown: Lasting<Shown>,
    /// Whether none is shown, as it was drawn last.
    pub nothing: Lasting<bool>,
    pub counts: Lasting<Counts>,
    /// Whether some of the events have not been looked at yet.
    pub looking: Lasting<bool>,
    pub background: Lasting<Option<Background>>,
    pub documents: Lasting<Table<String, Document>>,
    pub health: Lasting<Option<Health>>,
    /// Why the host could not say how it is.
    pub unwell: Lasting<Option<Remark>>,
    /// The tab that is inspected.
    pub inspected: Option<i64>,
    /// The origin of the inspected page.
    pub origin: Lasting<Option<String>>,
    /// Only what the inspected site wrote is shown.
    pub only_site: Lasting<bool>,
    pub chart: Lasting<VecDeque<Second>>,
    /// The filter as it is written.
    pub filter: Lasting<String>,
    /// What it means, or why it makes no sense.
    pub query: Lasting<Result<Query, String>>,
    /// The filter that holds: the last one that made sense.
    pub standing: Lasting<Query>,
    /// The texts that are searched for.
    pub texts: Lasting<Vec<String>>,
    /// The place of the event whose details are shown.
    pub selected: Lasting<Option<usize>>,
    /// Whether there is one.
    pub detailed: Lasting<bool>,
    /// That event with its place, as it was drawn last: what shows it is made anew only when something of it changes, or a button would
    /// go while it is pressed.
    pub row: Lasting<Option<(usize, Row)>>,
    /// The number of an event that was looked at and the id of its entry in the stream.
    pub entry: Lasting<Option<(u64, String)>>,
    /// The display rests.
    pub frozen: Lasting<bool>,
    /// The newest event is kept in sight.
    pub follow: Lasting<bool>,
    /// How far the list is scrolled, and how high it is, in pixels.
    pub top: Lasting<usize>,
    pub height: Lasting<usize>,
    /// How many letters the list's wide columns have room for ([`crate::words::columns`]).
    pub letters: Lasting<(usize, usize)>,
    /// A recording's name, if one is shown instead of what happens.
    pub recording: Lasting<Option<String>>,
    pub over: Lasting<Option<Over>>,
    /// What is written in the palette, and which of the commands that fit is chosen.
    pub command: Lasting<String>,
    pub chosen_command: Lasting<usize>,
    /// What the host found on the way of a write, or why it could not look.
    pub checks: Lasting<Option<Result<Vec<Check>, String>>>,
    pub toast: Lasting<String>,
    /// Whether the inspected page tells where it writes from.
    pub tracing: Lasting<bool>,
    pub stacks: Lasting<Stacks>,
    pub memory: Memory,
    pub stores: Lasting<Option<Result<Vec<Store>, String>>>,
    /// Paths of trees that were opened or closed.
    pub toggled: Lasting<Vec<String>>,
}

impl State {
    pub fn new() -> Self {
        let background = Lasting::new(None::<Background>);
        let documents = Lasting::new(Table::new());
        let intake = Intake::new();
        let news = Lasting::new(());
        let stacks = Lasting::new(Stacks::default());
        let link = Link::open(move |heard| match heard {
            Heard::Background(told) => {
                documents.update(|documents| remember(documents, &told.documents));
                background.set(Some(told));
            }
            Heard::Trace(trace) => stacks.update(|stacks| stacks.take(trace)),
            Heard::Feed(feed) => {
                intake.push(feed);
                news.notify();
            }
        });
        let state = Self {
            link: StoredValue::new_local(link),
            intake,
            tab: Lasting::new(Tab::Events),
            model: Lasting::new(Model::default()),
            shown: Lasting::new(Shown::default()),
            nothing: Lasting::new(true),
            counts: Lasting::new(Counts::default()),
            looking: Lasting::new(false),
            background,
            documents,
            health: Lasting::new(None),
            unwell: Lasting::new(None),
            inspected: browser::inspected_tab(),
            origin: Lasting::new(None),
            only_site: Lasting::new(true),
            chart: Lasting::new(VecDeque::from(vec![Second::default(); CHART])),
            filter: Lasting::new(String::new()),
            query: Lasting::new(Ok(Query::default())),
            standing: Lasting::new(Query::default()),
            texts: Lasting::new(Vec::new()),
            selected: Lasting::new(None),
            detailed: Lasting::new(false),
            row: Lasting::new(None),
            entry: Lasting::new(None),
            frozen: Lasting::new(false),
            follow: Lasting::new(true),
            top: Lasting::new(0),
            height: Lasting::new(800),
            letters: Lasting::new((50, 60)),
            recording: Lasting::new(None),
            over: Lasting::new(None),
            command: Lasting::new(String::new()),
            chosen_command: Lasting::new(0),
            checks: Lasting::new(None),
            toast: Lasting::new(String::new()),
            tracing: Lasting::new(false),
            stacks,
            memory: Memory::new(),
            stores: Lasting::new(None),
            toggled: Lasting::new(Vec::new()),
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
        browser::on_origin(move |origin| state.origin.put(origin));
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

fn remember(known: &mut Table<String, Document>, documents: &[Document]) {
    if known.len() > DOCUMENTS {
        known.clear();
    }
    for document in documents {
        known.insert(document.context.clone(), document.clone());
    }
}

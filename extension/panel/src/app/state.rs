//! The whole state of the panel, in slices.

use std::{collections::VecDeque, ops::Deref, rc::Rc};

use leptos::prelude::{LocalStorage, StoredValue};
use protocol::{
    table::Table,
    wire::inspector::{
        Address, Background, Check, Document, Feed as FeedAnswer, Health, Problem, Record, Store,
    },
};

use crate::{
    background_link::BackgroundLink,
    browser,
    chart::ChartSecond,
    draw_schedule::DrawSchedule,
    events::{filter::Filter, log::EventLog, matches::Matches, row::EventRow, stacks::Stacks},
    observable::Observable,
    records::{comparison::Content, drift::DriftResults, page_counts::PageCounts},
};

/// The number of seconds that the chart shows.
pub const CHART_SECONDS: usize = 60;

/// The handle on the state, which every closure copies.
#[derive(Clone, Copy)]
pub struct App(&'static Slices);

impl Deref for App {
    type Target = Slices;

    fn deref(&self) -> &Slices {
        self.0
    }
}

pub struct Slices {
    pub link: StoredValue<Rc<BackgroundLink>, LocalStorage>,
    pub feed: FeedState,
    pub filter: FilterState,
    pub list: ListState,
    pub pipeline: PipelineState,
    pub selection: SelectionState,
    pub source: SourceState,
    pub site: SiteState,
    pub host: HostState,
    pub stores: StoresState,
    pub ui: UiState,
}

/// The events.
pub struct FeedState {
    pub log: Observable<EventLog>,
    pub matches: Observable<Matches>,
    /// As drawn last; for the numbers in the toolbar.
    pub counts: Observable<FeedCounts>,
    /// As drawn last.
    pub is_empty: Observable<bool>,
    /// The filter has not examined all events yet.
    pub is_filtering: Observable<bool>,
    /// The display is paused.
    pub is_paused: Observable<bool>,
    pub stacks: Observable<Stacks>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeedCounts {
    pub matching: usize,
    pub kept: usize,
    pub evicted: usize,
    pub unreadable: usize,
}

pub struct FilterState {
    /// As the user wrote it.
    pub text: Observable<String>,
    /// The parsed text, or what is wrong with it.
    pub parsed: Observable<Result<Filter, String>>,
    /// The latest valid filter: the one that applies.
    pub active: Observable<Filter>,
    /// The texts to highlight.
    pub search_texts: Observable<Vec<String>>,
}

/// The scrolled list of events.
pub struct ListState {
    /// Keeps the newest event in view.
    pub is_following: Observable<bool>,
    /// In pixels.
    pub scroll_top: Observable<usize>,
    pub height: Observable<usize>,
    /// How many letters fit into the wide columns ([`crate::format::letters_per_column`]).
    pub letters: Observable<(usize, usize)>,
}

/// What `app::pipeline` keeps between two frames.
pub struct PipelineState {
    /// Received and not ingested yet.
    pub received: Observable<Vec<FeedAnswer>>,
    pub is_frame_requested: Observable<bool>,
    pub draw_schedule: Observable<DrawSchedule>,
    /// The end of the pause in drawing is awaited.
    pub is_draw_pending: Observable<bool>,
    /// The number of matches that were evicted since the list was drawn.
    pub evicted_matches: Observable<usize>,
    /// The counts were shown a moment ago.
    pub are_counts_fresh: Observable<bool>,
    /// An export waits until the filter has examined all events.
    pub is_export_pending: Observable<bool>,
}

/// The event whose details are shown.
pub struct SelectionState {
    pub place: Observable<Option<usize>>,
    pub is_some: Observable<bool>,
    /// The place and the event, as drawn last.
    ///
    /// The details are rendered again only if it differs, or a button would vanish while it is
    /// pressed.
    pub row: Observable<Option<(usize, EventRow)>>,
    /// The number of an event, and the id of its entry in the stream.
    pub stream_entry: Observable<Option<(u64, String)>>,
    /// The paths of value trees that were opened or closed.
    pub toggled_paths: Observable<Vec<String>>,
}

/// Where the events come from.
pub struct SourceState {
    /// The name of the recording that is shown instead of the host's feed.
    pub recording: Observable<Option<String>>,
    /// The inspected page records call stacks.
    pub is_tracing: Observable<bool>,
}

/// The inspected page and its site.
pub struct SiteState {
    pub inspected_tab: Option<i64>,
    pub origin: Observable<Option<String>>,
    /// Only events of this origin are shown.
    pub is_exclusive: Observable<bool>,
}

/// The extension, the host and its servers.
pub struct HostState {
    pub background: Observable<Option<Background>>,
    /// By context id. Closed documents are kept for their events.
    pub documents: Observable<Table<String, Document>>,
    pub health: Observable<Option<Health>>,
    /// Why the host could not report its health.
    pub health_problem: Observable<Option<Problem>>,
    pub chart: Observable<VecDeque<ChartSecond>>,
    /// What the doctor found, or why it could not run.
    pub checks: Observable<Option<Result<Vec<Check>, String>>>,
}

/// The Stores view, and the record that is compared.
pub struct StoresState {
    /// The stores of the mirror, or why they are unknown.
    pub mirrored: Observable<Option<Result<Vec<Store>, String>>>,
    pub drift: Observable<DriftResults>,
    pub page_counts: Observable<PageCounts>,
    /// The revision of `mirrored` at which all pages were asked to count.
    pub counted_revision: Observable<u64>,
    /// How often the view was opened; results for an earlier opening are ignored.
    pub opening: Observable<u64>,
    /// The record that is looked up, and the row of its store. An empty key: none was entered yet.
    pub chosen: Observable<Option<(Address, usize)>>,
    /// The key in the input field, and what is wrong with it.
    pub key_text: Observable<String>,
    pub key_error: Observable<String>,
    /// The number of the latest record comparison; answers to earlier ones are ignored.
    pub comparison: Observable<u64>,
    /// The answers to it.
    pub record_in_page: Observable<Option<Content>>,
    pub record_in_host: Observable<Option<Result<Record, Problem>>>,
}

/// Tabs, dialogs and messages.
pub struct UiState {
    pub tab: Observable<Tab>,
    pub overlay: Observable<Option<Overlay>>,
    pub palette_text: Observable<String>,
    /// The index of the chosen command among those that match the text.
    pub palette_index: Observable<usize>,
    pub toast: Observable<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Events,
    Stores,
}

/// A dialog over the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlay {
    Palette,
    Help,
    Doctor,
}

/// A step of the selection in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Without a selection it leads into the list from the end it points away from.
    By(isize),
    First,
    Last,
}

impl App {
    /// The state at the start. It lives as long as the page.
    pub fn new() -> Self {
        Self(Box::leak(Box::new(Slices {
            link: StoredValue::new_local(Rc::default()),
            feed: FeedState {
                log: Observable::new(EventLog::default()),
                matches: Observable::new(Matches::default()),
                counts: Observable::new(FeedCounts::default()),
                is_empty: Observable::new(true),
                is_filtering: Observable::new(false),
                is_paused: Observable::new(false),
                stacks: Observable::new(Stacks::default()),
            },
            filter: FilterState {
                text: Observable::new(String::new()),
                parsed: Observable::new(Ok(Filter::default())),
                active: Observable::new(Filter::default()),
                search_texts: Observable::new(Vec::new()),
            },
            list: ListState {
                is_following: Observable::new(true),
                scroll_top: Observable::new(0),
                height: Observable::new(800),
                letters: Observable::new((50, 60)),
            },
            pipeline: PipelineState {
                received: Observable::new(Vec::new()),
                is_frame_requested: Observable::new(false),
                draw_schedule: Observable::new(DrawSchedule::default()),
                is_draw_pending: Observable::new(false),
                evicted_matches: Observable::new(0),
                are_counts_fresh: Observable::new(false),
                is_export_pending: Observable::new(false),
            },
            selection: SelectionState {
                place: Observable::new(None),
                is_some: Observable::new(false),
                row: Observable::new(None),
                stream_entry: Observable::new(None),
                toggled_paths: Observable::new(Vec::new()),
            },
            source: SourceState {
                recording: Observable::new(None),
                is_tracing: Observable::new(false),
            },
            site: SiteState {
                inspected_tab: browser::inspected_tab(),
                origin: Observable::new(None),
                is_exclusive: Observable::new(true),
            },
            host: HostState {
                background: Observable::new(None),
                documents: Observable::new(Table::new()),
                health: Observable::new(None),
                health_problem: Observable::new(None),
                chart: Observable::new(VecDeque::from(vec![ChartSecond::default(); CHART_SECONDS])),
                checks: Observable::new(None),
            },
            stores: StoresState {
                mirrored: Observable::new(None),
                drift: Observable::new(DriftResults::default()),
                page_counts: Observable::new(PageCounts::default()),
                counted_revision: Observable::new(0),
                opening: Observable::new(0),
                chosen: Observable::new(None),
                key_text: Observable::new(String::new()),
                key_error: Observable::new(String::new()),
                comparison: Observable::new(0),
                record_in_page: Observable::new(None),
                record_in_host: Observable::new(None),
            },
            ui: UiState {
                tab: Observable::new(Tab::Events),
                overlay: Observable::new(None),
                palette_text: Observable::new(String::new()),
                palette_index: Observable::new(0),
                toast: Observable::new(String::new()),
            },
        })))
    }
}

//! One line of the list: its elements, made once, which show one event after the other.

use protocol::inspect::Health;
use web_sys::{Document, Element, Node};

use super::{
    super::page,
    cell::{Attribute, Marked, Words, element},
};
use crate::{
    model::{Row, STAGES},
    stage, words,
};

/// Which document wrote an event: in words, and as a badge with its kind.
pub type Writer = (String, (&'static str, String));

/// What lines look like beside their own event.
pub struct Look {
    /// Another number for everything here but `selected`.
    pub revision: u64,
    /// What is searched for, in lower case.
    pub texts: Vec<String>,
    /// How many letters the two wide columns have room for.
    pub letters: (usize, usize),
    /// How the host is.
    pub health: Option<Health>,
    /// Whether the events come from the host, not from a recording.
    pub live: bool,
    /// The place of the event whose details are shown.
    pub selected: Option<usize>,
    /// Which document wrote it.
    pub from: Box<dyn Fn(&Row) -> Writer>,
}

/// How many letters of a value the count of a transaction's events takes.
const COUNT_LETTERS: usize = 20;

/// An event at its place in the list.
#[derive(Clone, Copy)]
pub struct Placed<'m> {
    /// Among those shown.
    pub index: usize,
    /// Among all.
    pub place: usize,
    /// The event.
    pub row: &'m Row,
    /// Of the same transaction as the selected one.
    pub beside: bool,
    /// Its part of the bracket around its transaction.
    pub bracket: &'static str,
}

/// All that a line's looks depend on. The text of an event never changes.
#[derive(PartialEq, Eq)]
struct Shown {
    revision: u64,
    index: usize,
    place: usize,
    number: u64,
    lags: [Option<i64>; STAGES.len()],
    notices: usize,
    selected: bool,
    beside: bool,
    bracket: &'static str,
}

/// The name of the line of an event at a place.
pub fn id(place: usize) -> String {
    format!("event-{place}")
}

/// The place of the event on whose line an element lies.
pub fn place(element: &Element) -> Option<usize> {
    let line = element.closest(".row").ok()??;
    line.id().strip_prefix("event-")?.parse().ok()
}

/// See the [module](self).
pub struct Line {
    element: Element,
    shown: Option<Shown>,
    id: Attribute,
    index: Attribute,
    selected: Attribute,
    class: Attribute,
    bracket: Attribute,
    transaction: Attribute,
    time: Words,
    op: Words,
    op_letter: Attribute,
    full: Attribute,
    origin: Marked,
    origin_cut: Words,
    database: Marked,
    store: Marked,
    count: Words,
    count_hidden: Attribute,
    key: Marked,
    key_cut: Words,
    cut: Words,
    value: Marked,
    size: Words,
    tab: Attribute,
    badge_kind: Attribute,
    badge: Words,
    way: [Attribute; 2],
    stages: [(Attribute, Words); STAGES.len()],
}

impl Line {
    /// An empty line at the end of the others.
    pub fn new(document: &Document, parent: &Node) -> Option<Self> {
        let element = element(document, parent, "div", "row")?;
        element.set_attribute("role", "row").ok()?;
        let cell = |class: &str| {
            let cell = self::element(document, &element, "span", class)?;
            cell.set_attribute("role", "gridcell").ok()?;
            Some(cell)
        };
        let part = |parent: &Element, tag: &str, class: &str| self::element(document, parent, tag, class);
        let arrow = |parent: &Element| {
            let arrow = part(parent, "i", "")?;
            Words::fixed(document, &arrow, " › ")
        };
        let time = cell("time")?;
        let op = part(&cell("operation")?, "b", "op")?;
        let full = cell("where")?;
        let origin = part(&full, "span", "origin")?;
        let marked_origin = Marked::new(document, &origin)?;
        let origin_cut = Words::new(document, &origin)?;
        arrow(&origin)?;
        let place = part(&full, "span", "store")?;
        let name = part(&place, "span", "name")?;
        let database = Marked::new(document, &name)?;
        arrow(&place)?;
        let name = part(&place, "span", "name")?;
        let store = Marked::new(document, &name)?;
        let what = cell("what")?;
        let whole = part(&what, "em", "")?;
        let count = Words::new(document, &whole)?;
        let count_words = part(&whole, "span", "")?;
        Words::fixed(document, &count_words, " in one transaction")?;
        let key = part(&what, "span", "key")?;
        let preview = part(&what, "span", "preview")?;
        let size = cell("size")?;
        let badge = part(&cell("from")?, "span", "")?;
        let strip = part(&cell("way")?, "span", "strip")?;
        strip.set_attribute("role", "img").ok()?;
        let stage = |name: &str| {
            let dot = part(&strip, "i", "")?;
            dot.set_attribute("data-stage", name).ok()?;
            part(&dot, "s", "")?;
            let state = Attribute::new(&dot, "data-state");
            Some((state, Words::new(document, &dot)?))
        };
        stage("captured")?.0.put("passed");
        let [journal, redis, memcached] = STAGES;
        Some(Self {
            shown: None,
            id: Attribute::new(&element, "id"),
            index: Attribute::new(&element, "aria-rowindex"),
            selected: Attribute::new(&element, "aria-selected"),
            class: Attribute::new(&element, "class"),
            bracket: Attribute::new(&element, "data-bracket"),
            transaction: Attribute::new(&element, "title"),
            time: Words::new(document, &time)?,
            op: Words::new(document, &op)?,
            op_letter: Attribute::new(&op, "data-op"),
            full: Attribute::new(&full, "title"),
            origin: marked_origin,
            origin_cut,
            database,
            store,
            count,
            count_hidden: Attribute::new(&whole, "hidden"),
            key: Marked::new(document, &key)?,
            key_cut: Words::new(document, &key)?,
            cut: Words::new(document, &preview)?,
            value: Marked::new(document, &preview)?,
            size: Words::new(document, &size)?,
            tab: Attribute::new(&badge, "title"),
            badge_kind: Attribute::new(&badge, "data-from"),
            badge: Words::new(document, &badge)?,
            way: [
                Attribute::new(&strip, "aria-label"),
                Attribute::new(&strip, "title"),
            ],
            stages: [stage(journal)?, stage(redis)?, stage(memcached)?],
            element,
        })
    }

    /// The line in the document.
    pub fn element(&self) -> &Element {
        &self.element
    }

    /// The place of the event that it shows.
    pub fn place(&self) -> Option<usize> {
        self.shown.as_ref().map(|shown| shown.place)
    }

    /// Shows an event.
    pub fn show(&mut self, placed: &Placed<'_>, look: &Look) {
        let Placed { row, bracket, .. } = *placed;
        let shown = Shown {
            revision: look.revision,
            index: placed.index,
            place: placed.place,
            number: row.number,
            lags: std::array::from_fn(|stage| row.lag(stage)),
            notices: row.notices.len(),
            selected: look.selected == Some(placed.place),
            beside: placed.beside,
            bracket,
        };
        if self.shown.as_ref() == Some(&shown) {
            return;
        }
        self.id.put(&id(shown.place));
        self.index.put(&(shown.index + 1).to_string());
        self.selected.put(if shown.selected { "true" } else { "false" });
        self.class.put(match (shown.beside, shown.notices > 0) {
            (false, false) => "row",
            (true, false) => "row beside",
            (false, true) => "row noticed",
            (true, true) => "row beside noticed",
        });
        self.bracket.put(bracket);
        self.time.put(&page::time(row.at));
        self.op.put(words::operation(row.op));
        self.op_letter.put(row.op.letter());
        self.show_names(row, look);
        let counted = self.show_transaction(row, bracket);
        // The count lies over the end of the value.
        let taken = if counted { COUNT_LETTERS } else { 0 };
        self.show_value(row, look, taken);
        self.size.put(&row.size().map(words::size).unwrap_or_default());
        let (tab, (kind, badge)) = (look.from)(row);
        self.tab.put(&tab);
        self.badge_kind.put(kind);
        self.badge.put(&badge);
        self.show_stages(row, look);
        self.shown = Some(shown);
    }

    fn show_names(&mut self, row: &Row, look: &Look) {
        let source = &row.source;
        self.full
            .put(&words::names(&[&source.origin, &source.database, &source.store]));
        // Where there is little room, it is the site's that is taken.
        let taken = source.database.len() + source.store.len() + 6;
        let room = look.letters.0.saturating_sub(taken).max(8);
        let (site, rest) = words::cut(words::site(&source.origin), room);
        self.origin.put(site, &look.texts);
        self.origin_cut.put(rest);
        self.database.put(&source.database, &look.texts);
        self.store.put(&source.store, &look.texts);
    }

    fn show_value(&mut self, row: &Row, look: &Look, taken: usize) {
        let room = look.letters.1;
        let (key, rest) = words::cut(row.key(), (room * 7 / 10).max(8));
        self.key.put(key, &look.texts);
        self.key_cut.put(rest);
        // Beside a count there may be room for no more than a beginning.
        let least = if taken > 0 { 2 } else { 8 };
        let room = room.saturating_sub(key.len() + taken).max(least);
        let (cut, value) = match &row.change {
            Some(change) => ("", words::cut(change, room).0),
            None => words::preview(row, &look.texts, room),
        };
        self.cut.put(cut);
        self.value.put(value, &look.texts);
    }

    /// Whether it says how many events the transaction has.
    fn show_transaction(&mut self, row: &Row, bracket: &str) -> bool {
        let whole = row.transaction.as_ref().filter(|whole| whole.count > 1);
        let words = whole.map(|whole| {
            format!(
                "event {} of {} of transaction {}",
                whole.order, whole.count, whole.id
            )
        });
        self.transaction.put_if(words.as_deref());
        let whole = whole.filter(|_| bracket == "first");
        self.count_hidden.put_if(whole.is_none().then_some(""));
        if let Some(whole) = whole {
            let count = usize::try_from(whole.count).unwrap_or(0);
            self.count.put(&words::count(count));
        }
        whole.is_some()
    }

    /// The strip of stages: each has a colour and a shape, and the time since the commit.
    fn show_stages(&mut self, row: &Row, look: &Look) {
        let steps = stage::steps(row, look.health.as_ref(), look.live);
        let way = stage::way(row, &steps, look.health.as_ref());
        self.way.iter_mut().for_each(|label| label.put(&way));
        for ((state, lag), step) in self.stages.iter_mut().zip(&steps) {
            state.put(step.standing.word());
            let tried = (step.attempts > 0).then(|| format!("×{}", step.attempts));
            let passed = step.lag.map(words::short_duration);
            lag.put(&passed.or(tried).unwrap_or_default());
        }
    }
}

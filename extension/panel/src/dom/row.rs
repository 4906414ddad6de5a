//! One row of the list. Its elements are created once and show one event after another.

use protocol::wire::inspector::Health;
use web_sys::{Document, Element, Node};

use super::{
    cell::{AttributeCell, HighlightedCell, TextCell, append_element},
    page,
};
use crate::{
    events::{
        preview::preview,
        row::{EventRow, STAGES},
        stage::{describe_delivery, stage_progress},
    },
    format,
};

/// The height of a row in pixels, as in `panel.css`.
pub const ROW_HEIGHT: usize = 24;

/// The document of an event: in words, and as a badge with its kind.
pub type DocumentLabel = (String, (&'static str, String));

/// What all rows show beside their event.
pub struct RowContext {
    /// Differs if anything here but `selected` does.
    pub revision: u64,
    /// The texts to highlight, in lower case.
    pub search_texts: Vec<String>,
    /// How many letters fit into the two wide columns.
    pub letters: (usize, usize),
    pub health: Option<Health>,
    /// The events are of the host's feed, not of a recording.
    pub is_live: bool,
    /// The place of the selected event.
    pub selected: Option<usize>,
    pub label_document: Box<dyn Fn(&EventRow) -> DocumentLabel>,
}

/// How many letters of the value the badge with the transaction's event count covers.
const BADGE_LETTERS: usize = 20;

/// An event and its position in the list.
#[derive(Clone, Copy)]
pub struct PlacedRow<'m> {
    /// The index among the matches.
    pub index: usize,
    /// The place in the log.
    pub place: usize,
    pub row: &'m EventRow,
    /// Of the same transaction as the selected event.
    pub is_sibling: bool,
    /// The part of the bracket around its transaction.
    pub bracket: &'static str,
}

/// Everything that the row depends on. The text of an event never changes.
#[derive(PartialEq, Eq)]
struct DrawnState {
    revision: u64,
    index: usize,
    place: usize,
    number: u64,
    lags: [Option<i64>; STAGES.len()],
    notices: usize,
    is_selected: bool,
    is_sibling: bool,
    bracket: &'static str,
}

/// The element id of the row of a place.
pub fn element_id(place: usize) -> String {
    format!("event-{place}")
}

/// The place of the event in whose row an element is.
pub fn place_of_element(element: &Element) -> Option<usize> {
    let row = element.closest(".row").ok()??;
    row.id().strip_prefix("event-")?.parse().ok()
}

/// See the [module](self).
pub struct RowElement {
    element: Element,
    drawn: Option<DrawnState>,
    id: AttributeCell,
    index: AttributeCell,
    is_selected: AttributeCell,
    class: AttributeCell,
    bracket: AttributeCell,
    transaction: AttributeCell,
    time: TextCell,
    op: TextCell,
    op_letter: AttributeCell,
    full_name: AttributeCell,
    origin: HighlightedCell,
    origin_rest: TextCell,
    database: HighlightedCell,
    store: HighlightedCell,
    event_count: TextCell,
    event_count_hidden: AttributeCell,
    key: HighlightedCell,
    key_rest: TextCell,
    value_start: TextCell,
    value: HighlightedCell,
    size: TextCell,
    document: AttributeCell,
    badge_kind: AttributeCell,
    badge: TextCell,
    delivery: [AttributeCell; 2],
    stages: [(AttributeCell, TextCell); STAGES.len()],
}

impl RowElement {
    /// Appends an empty row.
    pub fn new(document: &Document, parent: &Node) -> Option<Self> {
        let element = append_element(document, parent, "div", "row")?;
        element.set_attribute("role", "row").ok()?;
        let cell = |class: &str| {
            let cell = append_element(document, &element, "span", class)?;
            cell.set_attribute("role", "gridcell").ok()?;
            Some(cell)
        };
        let part = |parent: &Element, tag: &str, class: &str| append_element(document, parent, tag, class);
        let arrow = |parent: &Element| {
            let arrow = part(parent, "i", "")?;
            TextCell::append_fixed(document, &arrow, " › ")
        };
        let time = cell("time")?;
        let op = part(&cell("operation")?, "b", "op")?;
        let name = cell("where")?;
        let full_name = AttributeCell::new(&name, "title");
        let origin = part(&name, "span", "origin")?;
        let origin_text = HighlightedCell::new(document, &origin)?;
        let origin_rest = TextCell::new(document, &origin)?;
        arrow(&origin)?;
        let store_name = part(&name, "span", "store")?;
        let name = part(&store_name, "span", "name")?;
        let database = HighlightedCell::new(document, &name)?;
        arrow(&store_name)?;
        let name = part(&store_name, "span", "name")?;
        let store = HighlightedCell::new(document, &name)?;
        let content = cell("what")?;
        let count_badge = part(&content, "em", "")?;
        let event_count = TextCell::new(document, &count_badge)?;
        let count_text = part(&count_badge, "span", "")?;
        TextCell::append_fixed(document, &count_text, " in one transaction")?;
        let key = part(&content, "span", "key")?;
        let value = part(&content, "span", "preview")?;
        let size = cell("size")?;
        let badge = part(&cell("from")?, "span", "")?;
        let strip = part(&cell("delivery")?, "span", "strip")?;
        strip.set_attribute("role", "img").ok()?;
        let stage = |name: &str| {
            let dot = part(&strip, "i", "")?;
            dot.set_attribute("data-stage", name).ok()?;
            part(&dot, "s", "")?;
            let state = AttributeCell::new(&dot, "data-state");
            Some((state, TextCell::new(document, &dot)?))
        };
        stage("captured")?.0.set("passed");
        let [journal, redis, memcached] = STAGES;
        Some(Self {
            drawn: None,
            id: AttributeCell::new(&element, "id"),
            index: AttributeCell::new(&element, "aria-rowindex"),
            is_selected: AttributeCell::new(&element, "aria-selected"),
            class: AttributeCell::new(&element, "class"),
            bracket: AttributeCell::new(&element, "data-bracket"),
            transaction: AttributeCell::new(&element, "title"),
            time: TextCell::new(document, &time)?,
            op: TextCell::new(document, &op)?,
            op_letter: AttributeCell::new(&op, "data-op"),
            full_name,
            origin: origin_text,
            origin_rest,
            database,
            store,
            event_count,
            event_count_hidden: AttributeCell::new(&count_badge, "hidden"),
            key: HighlightedCell::new(document, &key)?,
            key_rest: TextCell::new(document, &key)?,
            value_start: TextCell::new(document, &value)?,
            value: HighlightedCell::new(document, &value)?,
            size: TextCell::new(document, &size)?,
            document: AttributeCell::new(&badge, "title"),
            badge_kind: AttributeCell::new(&badge, "data-from"),
            badge: TextCell::new(document, &badge)?,
            delivery: [
                AttributeCell::new(&strip, "aria-label"),
                AttributeCell::new(&strip, "title"),
            ],
            stages: [stage(journal)?, stage(redis)?, stage(memcached)?],
            element,
        })
    }

    pub fn element(&self) -> &Element {
        &self.element
    }

    /// The place of the event that the row shows.
    pub fn place(&self) -> Option<usize> {
        self.drawn.as_ref().map(|drawn| drawn.place)
    }

    /// Shows an event. Does nothing if the row shows all of it already.
    pub fn show(&mut self, placed: &PlacedRow<'_>, context: &RowContext) {
        let PlacedRow { row, bracket, .. } = *placed;
        let state = DrawnState {
            revision: context.revision,
            index: placed.index,
            place: placed.place,
            number: row.number,
            lags: std::array::from_fn(|stage| row.lag(stage)),
            notices: row.notices.len(),
            is_selected: context.selected == Some(placed.place),
            is_sibling: placed.is_sibling,
            bracket,
        };
        if self.drawn.as_ref() == Some(&state) {
            return;
        }
        self.id.set(&element_id(state.place));
        self.index.set(&(state.index + 1).to_string());
        self.is_selected
            .set(if state.is_selected { "true" } else { "false" });
        self.class.set(match (state.is_sibling, state.notices > 0) {
            (false, false) => "row",
            (true, false) => "row same-transaction",
            (false, true) => "row noticed",
            (true, true) => "row same-transaction noticed",
        });
        self.bracket.set(bracket);
        self.time.set(&page::time_of_day(row.committed_at));
        self.op.set(format::operation_name(row.op));
        self.op_letter.set(row.op.letter());
        self.show_names(row, context);
        let has_count_badge = self.show_transaction(row, bracket);
        // The badge covers the end of the value.
        let covered = if has_count_badge { BADGE_LETTERS } else { 0 };
        self.show_value(row, context, covered);
        self.size
            .set(&row.value_size().map(format::bytes).unwrap_or_default());
        let (document, (kind, badge)) = (context.label_document)(row);
        self.document.set(&document);
        self.badge_kind.set(kind);
        self.badge.set(&badge);
        self.show_stages(row, context);
        self.drawn = Some(state);
    }

    fn show_names(&mut self, row: &EventRow, context: &RowContext) {
        let source = &row.source;
        self.full_name.set(&format::join_names(&[
            &source.origin,
            &source.database,
            &source.store,
        ]));
        // In a narrow column the origin is truncated first.
        let taken = source.database.len() + source.store.len() + 6;
        let width = context.letters.0.saturating_sub(taken).max(8);
        let (origin, rest) = format::truncate(format::without_scheme(&source.origin), width);
        self.origin.set(origin, &context.search_texts);
        self.origin_rest.set(rest);
        self.database.set(&source.database, &context.search_texts);
        self.store.set(&source.store, &context.search_texts);
    }

    fn show_value(&mut self, row: &EventRow, context: &RowContext, covered: usize) {
        let width = context.letters.1;
        let (key, rest) = format::truncate(row.key(), (width * 7 / 10).max(8));
        self.key.set(key, &context.search_texts);
        self.key_rest.set(rest);
        let least = if covered > 0 { 2 } else { 8 };
        let width = width.saturating_sub(key.len() + covered).max(least);
        let (start, value) = match &row.schema_change {
            Some(change) => ("", format::truncate(change, width).0),
            None => preview(row, &context.search_texts, width),
        };
        self.value_start.set(start);
        self.value.set(value, &context.search_texts);
    }

    /// True: the row shows the number of events of its transaction.
    fn show_transaction(&mut self, row: &EventRow, bracket: &str) -> bool {
        let transaction = row
            .transaction
            .as_ref()
            .filter(|transaction| transaction.count > 1);
        let title = transaction.map(|transaction| {
            format!(
                "event {} of {} of transaction {}",
                transaction.order, transaction.count, transaction.id
            )
        });
        self.transaction.set_or_remove(title.as_deref());
        let counted = transaction.filter(|_| bracket == "first");
        self.event_count_hidden
            .set_or_remove(counted.is_none().then_some(""));
        if let Some(transaction) = counted {
            self.event_count.set(&format::count(transaction.count));
        }
        counted.is_some()
    }

    /// Shows the stages: a dot by status, and the milliseconds since the commit or the failed
    /// attempts.
    fn show_stages(&mut self, row: &EventRow, context: &RowContext) {
        let health = context.health.as_ref();
        let progress = stage_progress(row, health, context.is_live);
        let delivery = describe_delivery(row, &progress, health);
        self.delivery.iter_mut().for_each(|label| label.set(&delivery));
        for ((dot, number), progress) in self.stages.iter_mut().zip(&progress) {
            dot.set(progress.status.name());
            let attempts = (progress.attempts > 0).then(|| format!("×{}", progress.attempts));
            let lag = progress.lag.map(format::short_duration);
            number.set(&lag.or(attempts).unwrap_or_default());
        }
    }
}

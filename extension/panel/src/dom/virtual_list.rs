//! The rows of the list that are in the document: those in view, and a few above and below.
//!
//! The rows are in the order of the events, for screen readers. If the list scrolls by a few
//! events, the rows that left at one end move to the other end, and the rest stays unchanged. If it
//! scrolls further, every row stays where it is and shows another event.

use std::collections::VecDeque;

use web_sys::HtmlElement;

use super::row::{PlacedRow, ROW_HEIGHT, RowContext, RowElement};
use crate::events::{log::EventLog, matches::Matches, row::EventRow};

/// The matches that the document shall have.
pub struct VisibleRange<'m> {
    pub log: &'m EventLog,
    pub matches: &'m Matches,
    /// The index of the first one among the matches.
    pub first: usize,
    pub max_rows: usize,
}

impl<'m> VisibleRange<'m> {
    fn rows(&self) -> impl Iterator<Item = (usize, usize, &'m EventRow)> {
        let (log, places) = (self.log, self.matches.places());
        let last = places.len().min(self.first + self.max_rows);
        (self.first..last).filter_map(move |index| {
            let place = *places.get(index)?;
            Some((index, place, log.row(place)?))
        })
    }

    fn is_sibling(&self, row: &EventRow, index: Option<usize>) -> bool {
        index
            .and_then(|index| self.matches.places().get(index))
            .and_then(|place| self.log.row(*place))
            .is_some_and(|other| other.is_in_same_transaction(row))
    }

    /// The part of the bracket around the transaction that the row has.
    fn bracket(&self, row: &EventRow, index: usize) -> &'static str {
        let (above, below) = (index.checked_sub(1), index.checked_add(1));
        match (self.is_sibling(row, above), self.is_sibling(row, below)) {
            (false, false) => "alone",
            (false, true) => "first",
            (true, true) => "middle",
            (true, false) => "last",
        }
    }
}

/// See the [module](self).
#[derive(Default)]
pub struct VirtualList {
    rows: VecDeque<RowElement>,
    /// The index of the match in the first row. `None`: nothing has been drawn.
    first: Option<usize>,
}

impl VirtualList {
    /// Shows these matches in an element that no one else writes to.
    pub fn show(&mut self, window: &HtmlElement, range: &VisibleRange<'_>, context: &RowContext) {
        // Before its first row the element holds the rows of an earlier list.
        if self.first.is_none() {
            window.set_text_content(None);
        }
        let first_place = range.matches.places().get(range.first);
        self.rotate_rows(window, first_place.copied());
        let selected = context.selected.and_then(|place| range.log.row(place));
        let mut count = 0;
        for (index, place, row) in range.rows() {
            if count == self.rows.len() {
                let element = window
                    .owner_document()
                    .and_then(|document| RowElement::new(&document, window));
                let Some(element) = element else { break };
                self.rows.push_back(element);
            }
            let placed = PlacedRow {
                index,
                place,
                row,
                is_sibling: selected.is_some_and(|selected| selected.is_in_same_transaction(row)),
                bracket: range.bracket(row, index),
            };
            self.rows[count].show(&placed, context);
            count += 1;
        }
        for row in self.rows.drain(count..) {
            row.element().remove();
        }
        if self.first.replace(range.first) != Some(range.first) {
            let moved = format!("translateY({}px)", range.first * ROW_HEIGHT);
            let _moved = window.style().set_property("transform", &moved);
        }
    }

    /// Moves rows from one end to the other, if most rows can then stay unchanged.
    fn rotate_rows(&mut self, window: &HtmlElement, first: Option<usize>) {
        let (Some(wanted), Some(known)) = (first, self.rows.front().and_then(RowElement::place)) else {
            return;
        };
        let few = self.rows.len() / 3;
        if wanted > known {
            let left = self
                .rows
                .iter()
                .take(few + 1)
                .take_while(|row| row.place() < Some(wanted));
            let left = left.count();
            if left <= few {
                for row in self.rows.iter().take(left) {
                    let _moved = window.append_child(row.element());
                }
                self.rows.rotate_left(left);
            }
        } else if wanted < known {
            // At most this many matches come before the first row: as many as there are places
            // between.
            let entering = known - wanted;
            if entering <= few {
                let before = self.rows[0].element().clone();
                for row in self.rows.range(self.rows.len() - entering..) {
                    let _moved = window.insert_before(row.element(), Some(&before));
                }
                self.rows.rotate_right(entering);
            }
        }
    }
}

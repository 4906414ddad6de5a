//! The lines of the list. They are made once and show one event after the other.
//!
//! The document has them in the order of the events, for whoever reads it. Where the list moves by a few events, the lines that left
//! at one end go to the other, and the rest stay as they are; where it moves further, every line shows another event where it is.

use std::collections::VecDeque;

use web_sys::HtmlElement;

use super::{
    super::state::ROW,
    line::{Line, Look, Placed},
};
use crate::{
    model::{Model, Row},
    shown::Shown,
};

/// Which events are wanted in the document.
pub struct Wanted<'m> {
    pub model: &'m Model,
    pub shown: &'m Shown,
    /// From this one of those shown on.
    pub first: usize,
    /// At most so many.
    pub many: usize,
}

impl<'m> Wanted<'m> {
    fn rows(&self) -> impl Iterator<Item = (usize, usize, &'m Row)> {
        let (model, places) = (self.model, self.shown.places());
        let last = places.len().min(self.first + self.many);
        (self.first..last).filter_map(move |index| {
            let place = *places.get(index)?;
            Some((index, place, model.row(place)?))
        })
    }

    fn is_beside(&self, row: &Row, index: Option<usize>) -> bool {
        index
            .and_then(|index| self.shown.places().get(index))
            .and_then(|place| self.model.row(*place))
            .is_some_and(|other| other.is_beside(row))
    }

    fn bracket(&self, row: &Row, index: usize) -> &'static str {
        let (above, below) = (index.checked_sub(1), index.checked_add(1));
        match (self.is_beside(row, above), self.is_beside(row, below)) {
            (false, false) => "alone",
            (false, true) => "first",
            (true, true) => "middle",
            (true, false) => "last",
        }
    }
}

/// See the [module](self).
#[derive(Default)]
pub struct Pool {
    lines: VecDeque<Line>,
    /// Which of the events shown its first line shows, once it has been drawn.
    first: Option<usize>,
}

impl Pool {
    /// Shows these events in an element that is the pool's own.
    pub fn show(&mut self, window: &HtmlElement, wanted: &Wanted<'_>, look: &Look) {
        // What was there before its first line is another pool's.
        if self.first.is_none() {
            window.set_text_content(None);
        }
        let first_place = wanted.shown.places().get(wanted.first);
        self.turn(window, first_place.copied());
        let chosen = look.selected.and_then(|place| wanted.model.row(place));
        let mut many = 0;
        for (index, place, row) in wanted.rows() {
            if many == self.lines.len() {
                let line = window
                    .owner_document()
                    .and_then(|document| Line::new(&document, window));
                let Some(line) = line else { break };
                self.lines.push_back(line);
            }
            let placed = Placed {
                index,
                place,
                row,
                beside: chosen.is_some_and(|chosen| chosen.is_beside(row)),
                bracket: wanted.bracket(row, index),
            };
            self.lines[many].show(&placed, look);
            many += 1;
        }
        for line in self.lines.drain(many..) {
            line.element().remove();
        }
        if self.first.replace(wanted.first) != Some(wanted.first) {
            let moved = format!("translateY({}px)", wanted.first * ROW);
            let _moved = window.style().set_property("transform", &moved);
        }
    }

    /// Takes lines from one end to the other, if most of them can then stay as they are.
    fn turn(&mut self, window: &HtmlElement, first: Option<usize>) {
        let (Some(wanted), Some(known)) = (first, self.lines.front().and_then(Line::place)) else {
            return;
        };
        let few = self.lines.len() / 3;
        if wanted > known {
            let left = self
                .lines
                .iter()
                .take(few + 1)
                .take_while(|line| line.place() < Some(wanted));
            let left = left.count();
            if left <= few {
                for line in self.lines.iter().take(left) {
                    let _moved = window.append_child(line.element());
                }
                self.lines.rotate_left(left);
            }
        } else if wanted < known {
            // How many come before the first line is at most the distance of their places.
            let come = known - wanted;
            if come <= few {
                let before = self.lines[0].element().clone();
                for line in self.lines.range(self.lines.len() - come..) {
                    let _moved = window.insert_before(line.element(), Some(&before));
                }
                self.lines.rotate_right(come);
            }
        }
    }
}

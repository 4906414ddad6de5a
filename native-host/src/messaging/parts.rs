//! Deliveries that came in slices, put together again.

use std::collections::HashMap;

use protocol::{
    body::{MAX_DELIVERY, is_reading},
    wire::host::{HostPart, Page},
};

/// A delivery whose body came in slices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assembled {
    pub context: String,
    pub sequence: u64,
    pub page: Page<'static>,
    pub may_overtake: bool,
    pub body: Result<String, Unusable>,
}

/// Why the slices of a delivery make no body. They are dropped, and the delivery is acknowledged
/// for a gap: sent again, it would fare no better.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Unusable {
    pub reason: String,
    /// The body reported a read, so no write is missing.
    pub is_read: bool,
}

#[derive(Default)]
pub(crate) struct Parts {
    /// By context: parts of one delivery follow each other with nothing of the same context in
    /// between.
    open: HashMap<String, Open>,
    bytes: usize,
}

struct Open {
    sequence: u64,
    next: u32,
    count: u32,
    page: Page<'static>,
    text: String,
    /// The slices together are too long, and are dropped as they come.
    is_too_long: bool,
}

impl Parts {
    /// Takes a slice; the delivery, if it was its last one, or one that does not belong there.
    pub(crate) fn take(&mut self, part: &HostPart<'_>) -> Option<Assembled> {
        let slice = &part.part;
        let mut open = match self.open.remove(&*part.context) {
            // A first slice replaces all earlier ones of its context: the bridge has started again
            // after a reconnect.
            earlier if slice.index == 0 => {
                self.bytes -= earlier.map_or(0, |open| open.text.len());
                Open {
                    sequence: slice.sequence,
                    next: 0,
                    count: slice.count,
                    page: owned(&part.page),
                    text: String::new(),
                    is_too_long: false,
                }
            }
            Some(open) => open,
            None => return Some(out_of_order(part)),
        };
        self.bytes -= open.text.len();
        if (open.sequence, open.next, open.count) != (slice.sequence, slice.index, slice.count)
            || slice.index >= slice.count
            || open.page != part.page
        {
            return Some(out_of_order(part));
        }
        if self.bytes + open.text.len() + slice.text.len() > MAX_DELIVERY {
            open.is_too_long = true;
            // How it begins tells what it is.
            open.text = open.text.chars().take(BEGINNING).collect();
        }
        if !open.is_too_long {
            open.text.push_str(&slice.text);
        }
        open.next += 1;
        if open.next == open.count {
            let body = if open.is_too_long {
                let reason = format!("it is longer than {} MiB", MAX_DELIVERY >> 20);
                Err(unusable(reason, &open.text))
            } else {
                Ok(open.text)
            };
            return Some(Assembled {
                context: part.context.clone().into_owned(),
                sequence: open.sequence,
                page: open.page,
                may_overtake: part.may_overtake,
                body,
            });
        }
        self.bytes += open.text.len();
        self.open.insert(part.context.clone().into_owned(), open);
        None
    }
}

/// How many letters of a body that is dropped are kept.
const BEGINNING: usize = 32;

fn unusable(reason: String, beginning: &str) -> Unusable {
    Unusable {
        reason,
        is_read: is_reading(beginning),
    }
}

/// What has come of the delivery is dropped. Further slices of it are out of order, too, and of a
/// delivery that is on disk.
fn out_of_order(part: &HostPart<'_>) -> Assembled {
    let reason = format!("part {} came out of order", part.part.index);
    Assembled {
        context: part.context.clone().into_owned(),
        sequence: part.part.sequence,
        page: owned(&part.page),
        may_overtake: part.may_overtake,
        body: Err(unusable(reason, "")),
    }
}

fn owned(page: &Page<'_>) -> Page<'static> {
    Page {
        origin: page.origin.clone().into_owned().into(),
        ..*page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::wire::bridge::Part;

    fn part(sequence: u64, index: u32, count: u32, text: &str) -> HostPart<'_> {
        HostPart {
            may_overtake: false,
            context: "c".into(),
            page: Page {
                origin: "http://localhost".into(),
                tab: 1,
                frame: 0,
            },
            part: Part {
                sequence,
                index,
                count,
                text: text.into(),
            },
        }
    }

    #[test]
    fn slices_in_order_make_a_delivery() {
        let mut parts = Parts::default();
        assert_eq!(parts.take(&part(1, 0, 3, "{\"a")), None);
        assert_eq!(parts.take(&part(1, 1, 3, "\":")), None);
        let whole = parts.take(&part(1, 2, 3, "1}")).expect("the last");
        assert_eq!((whole.sequence, whole.body), (1, Ok("{\"a\":1}".to_owned())));
        assert_eq!((parts.open.len(), parts.bytes), (0, 0));
    }

    #[test]
    fn a_slice_out_of_order_drops_those_before_it() {
        let mut parts = Parts::default();
        assert_eq!(parts.take(&part(1, 0, 3, "a")), None);
        for (index, text) in [(2, "c"), (1, "b")] {
            let whole = parts.take(&part(1, index, 3, text)).expect("unusable");
            let unusable = whole.body.expect_err("out of order");
            assert_eq!(unusable.reason, format!("part {index} came out of order"));
            assert_eq!((whole.sequence, unusable.is_read), (1, false));
        }
        assert_eq!((parts.open.len(), parts.bytes), (0, 0));
    }

    #[test]
    fn slices_past_the_limit_are_dropped_to_the_last_one() {
        let mut parts = Parts::default();
        let filler = "x".repeat(MAX_DELIVERY / 2);
        for (index, beginning) in [(0, "{\"snapshot\":"), (1, ""), (2, "")] {
            let taken = parts.take(&part(1, index, 4, &format!("{beginning}{filler}")));
            assert_eq!(taken, None);
        }
        assert!(parts.bytes < 100, "{}", parts.bytes);
        let whole = parts.take(&part(1, 3, 4, "}")).expect("the last");
        let unusable = whole.body.expect_err("too long");
        assert_eq!(
            (unusable.reason.as_str(), unusable.is_read),
            ("it is longer than 256 MiB", true)
        );
        assert_eq!((parts.open.len(), parts.bytes), (0, 0));
    }

    #[test]
    fn a_first_slice_starts_again() {
        let mut parts = Parts::default();
        assert_eq!(parts.take(&part(1, 0, 2, "old")), None);
        assert_eq!(parts.take(&part(1, 0, 2, "ne")), None);
        let whole = parts.take(&part(1, 1, 2, "w")).expect("the last");
        assert_eq!(whole.body, Ok("new".to_owned()));
    }
}

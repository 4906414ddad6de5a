//! Deliveries that came in slices, put together again.

use std::collections::HashMap;

use protocol::message::{HostPart, Page};

/// How many bytes of slices may wait for their last one, in all. An event holds a value twice, before and after, and SQLite takes
/// texts up to a thousand million bytes.
const CAPACITY: usize = 256 * 1024 * 1024;

/// A delivery whose body came in slices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assembled {
    pub context: String,
    pub sequence: u64,
    pub page: Page<'static>,
    pub body: String,
}

/// Why a slice was dropped, and with it those before it. The bridge sends the whole delivery again after a reconnect.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PartError {
    #[error("part {index} of delivery {sequence} came out of order")]
    Order { sequence: u64, index: u32 },
    #[error("the parts that wait for others take more than {CAPACITY} bytes")]
    TooMuch,
}

#[derive(Default)]
pub(crate) struct Parts {
    /// By context: parts of one delivery follow each other with nothing of the same context in between.
    open: HashMap<String, Open>,
    bytes: usize,
}

struct Open {
    sequence: u64,
    next: u32,
    count: u32,
    page: Page<'static>,
    text: String,
}

impl Parts {
    /// Takes a slice; the delivery, if it was its last one.
    pub(crate) fn take(&mut self, part: &HostPart<'_>) -> Result<Option<Assembled>, PartError> {
        let slice = &part.part;
        let mut open = match self.open.remove(&*part.context) {
            // A first slice starts again, whatever was there: the bridge has begun anew after a reconnect.
            earlier if slice.index == 0 => {
                self.bytes -= earlier.map_or(0, |open| open.text.len());
                Open {
                    sequence: slice.sequence,
                    next: 0,
                    count: slice.count,
                    page: Page {
                        origin: part.page.origin.clone().into_owned().into(),
                        ..part.page
                    },
                    text: String::new(),
                }
            }
            Some(open) => open,
            None => return Err(out_of_order(slice)),
        };
        self.bytes -= open.text.len();
        if (open.sequence, open.next, open.count) != (slice.sequence, slice.index, slice.count)
            || slice.index >= slice.count
            || open.page != part.page
        {
            return Err(out_of_order(slice));
        }
        if self.bytes + open.text.len() + slice.text.len() > CAPACITY {
            return Err(PartError::TooMuch);
        }
        open.text.push_str(&slice.text);
        open.next += 1;
        if open.next == open.count {
            return Ok(Some(Assembled {
                context: part.context.clone().into_owned(),
                sequence: open.sequence,
                page: open.page,
                body: open.text,
            }));
        }
        self.bytes += open.text.len();
        self.open.insert(part.context.clone().into_owned(), open);
        Ok(None)
    }
}

fn out_of_order(slice: &protocol::message::Part<'_>) -> PartError {
    PartError::Order {
        sequence: slice.sequence,
        index: slice.index,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::message::Part;

    fn part(sequence: u64, index: u32, count: u32, text: &str) -> HostPart<'_> {
        HostPart {
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
        assert_eq!(parts.take(&part(1, 0, 3, "{\"a")), Ok(None));
        assert_eq!(parts.take(&part(1, 1, 3, "\":")), Ok(None));
        let whole = parts
            .take(&part(1, 2, 3, "1}"))
            .expect("in order")
            .expect("the last");
        assert_eq!((whole.sequence, whole.body.as_str()), (1, "{\"a\":1}"));
        assert_eq!((parts.open.len(), parts.bytes), (0, 0));
    }

    #[test]
    fn a_slice_out_of_order_drops_those_before_it() {
        let mut parts = Parts::default();
        assert_eq!(parts.take(&part(1, 0, 3, "a")), Ok(None));
        assert_eq!(
            parts.take(&part(1, 2, 3, "c")),
            Err(PartError::Order {
                sequence: 1,
                index: 2
            })
        );
        assert_eq!(
            parts.take(&part(1, 1, 3, "b")),
            Err(PartError::Order {
                sequence: 1,
                index: 1
            })
        );
        assert_eq!((parts.open.len(), parts.bytes), (0, 0));
    }

    #[test]
    fn a_first_slice_starts_again() {
        let mut parts = Parts::default();
        assert_eq!(parts.take(&part(1, 0, 2, "old")), Ok(None));
        assert_eq!(parts.take(&part(1, 0, 2, "ne")), Ok(None));
        let whole = parts
            .take(&part(1, 1, 2, "w"))
            .expect("in order")
            .expect("the last");
        assert_eq!(whole.body, "new");
    }
}

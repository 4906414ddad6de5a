//! How far a group is, counted by itself.

use super::Extent;

/// What the group remembers of itself: up to an entry there were so many.
///
/// Redis counts as well (`XINFO GROUPS`: `entries-read` and, from it, `lag`), but cannot be relied
/// on: a group that was created at an entry which is neither the first nor the last has no count
/// until it reaches the last; what is cut off unread is never taken off; and Redis 7.0 does not
/// write the count into its append-only file as it reads, so that a restart sets it back to what it
/// was when the group was made, with a lag that never ends.
#[derive(Debug)]
struct Position {
    at: Id,
    count: usize,
}

impl Position {
    /// From its text: the id, a space, the count.
    fn parse(text: &str) -> Option<Self> {
        let (at, count) = text.split_once(' ')?;
        Some(Self {
            at: Id::parse(at)?,
            count: count.parse().ok()?,
        })
    }
}

/// The id of an entry, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Id(u64, u64);

impl Id {
    fn parse(text: &str) -> Option<Self> {
        let (milliseconds, number) = text.split_once('-')?;
        Some(Self(milliseconds.parse().ok()?, number.parse().ok()?))
    }
}

/// How many entries come after one that a group has read last, by the position that it has noted.
/// Never a guess: `None` if it can't be known.
pub fn lag(extent: &Extent, last: &str, position: Option<&str>) -> Option<usize> {
    let last = Id::parse(last)?;
    match extent.first.as_deref().map(Id::parse) {
        None => return Some(0),
        Some(first) if last < first? => return Some(extent.length),
        Some(_) if last >= Id::parse(&extent.last)? => return Some(0),
        Some(_) => {}
    }
    // Nothing of what comes was cut off, for its first one is not the stream's first.
    let position = position
        .and_then(Position::parse)
        .filter(|position| position.at == last)?;
    extent.added?.checked_sub(position.count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(length: usize, added: Option<usize>, first: Option<&str>) -> Extent {
        Extent {
            length,
            added,
            first: first.map(str::to_owned),
            last: "20-5".to_owned(),
        }
    }

    #[test]
    fn an_unknown_lag_is_never_taken_for_none() {
        let stream = extent(10, Some(30), Some("9-0"));
        let lag = |last, position| lag(&stream, last, position);
        // At either end it needs no count.
        assert_eq!(lag("20-5", None), Some(0));
        assert_eq!(lag("21-0", None), Some(0));
        assert_eq!(lag("0-0", None), Some(10));
        assert_eq!(lag("8-9", Some("8-9 5")), Some(10));
        // In between it does.
        assert_eq!(lag("9-0", None), None);
        assert_eq!(lag("10-0", Some("9-0 21")), None);
        assert_eq!(lag("10-0", Some("10-0 22")), Some(8));
        assert_eq!(lag("10-0", Some("10-0 31")), None, "another stream's");
        assert_eq!(lag("no id", None), None);
        let old = extent(10, None, Some("9-0"));
        assert_eq!(super::lag(&old, "10-0", Some("10-0 22")), None);
        let empty = extent(0, Some(30), None);
        assert_eq!(super::lag(&empty, "10-0", None), Some(0));
    }
}

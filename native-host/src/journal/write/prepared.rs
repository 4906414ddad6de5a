//! What is read of a delivery before it is applied: nothing of it can be malformed from there on,
//! so it is applied whole.
//!
//! In bytes a key may take several times its text, and a delivery has any number of keys. So only
//! so many of them are held at once; the others are read again in their turn.

use super::Refusal;

/// How many bytes are held, and one key more.
const HELD: usize = 8 * 1024 * 1024;

/// The items, once it is known that all of them are well-formed. `read` reads one, or leaves it
/// out; `bytes_of` says what one takes.
pub(super) fn prepare<'i, I, T>(
    items: &'i [I],
    read: impl Fn(&'i I) -> Result<Option<T>, Refusal>,
    bytes_of: impl Fn(&T) -> usize,
) -> Result<impl Iterator<Item = Result<T, Refusal>>, Refusal> {
    let mut first = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    for (index, item) in items.iter().enumerate() {
        let Some(item) = read(item)? else { continue };
        if bytes <= HELD {
            bytes += bytes_of(&item);
            first.push(item);
            count = index + 1;
        }
    }
    let others = items.iter().skip(count);
    let others = others.filter_map(move |item| read(item).transpose());
    Ok(first.into_iter().map(Ok).chain(others))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// An item that takes a megabyte, and says how many there are.
    struct Item<'c>(usize, &'c Cell<usize>);

    impl Drop for Item<'_> {
        fn drop(&mut self) {
            self.1.set(self.1.get() - 1);
        }
    }

    #[test]
    fn few_long_items_are_held_at_once_and_all_come_in_order() {
        let held = Cell::new(0);
        let most = Cell::new(0);
        let item = |number: usize| {
            held.set(held.get() + 1);
            most.set(most.get().max(held.get()));
            Ok(Some(Item(number, &held)))
        };
        for count in [0, 3, 50] {
            let numbers: Vec<usize> = (0..count).collect();
            let items = prepare(&numbers, |number| item(*number), |_| 1024 * 1024).ok();
            let numbers = items
                .expect("well-formed")
                .map(|item| item.ok().expect("well-formed").0);
            assert!(numbers.eq(0..count));
        }
        assert!(most.get() <= HELD / (1024 * 1024) + 2, "{}", most.get());
    }

    #[test]
    fn nothing_is_prepared_if_the_last_item_is_malformed() {
        let item = |number: &usize| match *number {
            49 => Err(Refusal::Malformed("49".to_owned())),
            number => Ok(Some(number)),
        };
        let numbers: Vec<usize> = (0..50).collect();
        assert!(prepare(&numbers, item, |_| 1024 * 1024).is_err());
        assert!(prepare(&numbers[..49], item, |_| 1024 * 1024).is_ok());
    }

    #[test]
    fn item_that_is_held_is_read_once() {
        let read = Cell::new(0);
        let numbers: Vec<usize> = (0..30).collect();
        // Every third one is left out; of the others nine are held.
        let item = |number: &usize| {
            read.set(read.get() + 1);
            Ok((number % 3 != 2).then_some(()))
        };
        let prepared = prepare(&numbers, item, |()| 1024 * 1024)
            .ok()
            .expect("well-formed");
        assert_eq!((prepared.count(), read.get()), (9 + 11, 30 + 17));
    }
}

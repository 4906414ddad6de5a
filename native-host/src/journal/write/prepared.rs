//! What is read of a delivery before it is applied: nothing of it can be malformed from there on,
//! so it is applied whole.
//!
//! In bytes a key may take several times its text, and a delivery has any number of keys. So only
//! so many of them are held at once; the others are read again in their turn.

use super::Refusal;

/// How many bytes are held, and one key more.
const HELD: usize = 8 * 1024 * 1024;

/// The items, once it is known that all of them are well-formed. `bytes_of` says what one takes.
pub(super) fn prepare<T>(
    items: impl Iterator<Item = Result<T, Refusal>> + Clone,
    bytes_of: impl Fn(&T) -> usize,
) -> Result<impl Iterator<Item = Result<T, Refusal>>, Refusal> {
    let mut first = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    for item in items.clone() {
        let item = item?;
        count += 1;
        if bytes <= HELD {
            bytes += bytes_of(&item);
            first.push(item);
        }
    }
    let read = first.len();
    let others = (read < count).then(|| items.skip(read));
    Ok(first.into_iter().map(Ok).chain(others.into_iter().flatten()))
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
            Ok(Item(number, &held))
        };
        for count in [0, 3, 50] {
            let items = prepare((0..count).map(item), |_| 1024 * 1024).ok();
            let numbers = items
                .expect("well-formed")
                .map(|item| item.ok().expect("well-formed").0);
            assert!(numbers.eq(0..count));
        }
        assert!(most.get() <= HELD / (1024 * 1024) + 2, "{}", most.get());
    }

    #[test]
    fn nothing_is_prepared_if_the_last_item_is_malformed() {
        let item = |number: usize| match number {
            49 => Err(Refusal::Malformed("49".to_owned())),
            _ => Ok(number),
        };
        assert!(prepare((0..50).map(item), |_| 1024 * 1024).is_err());
        assert!(prepare((0..49).map(item), |_| 1024 * 1024).is_ok());
    }
}

//! Numbers with their nouns.

/// `1 document`, `2 documents`.
pub fn count_with(number: u64, singular: &str, plural: &str) -> String {
    format!("{number} {}", if number == 1 { singular } else { plural })
}

/// How many deliveries wait; `None`: none does.
pub fn count_waiting(deliveries: u64) -> Option<String> {
    (deliveries > 0).then(|| format!("{}.", count_with(deliveries, "delivery waits", "deliveries wait")))
}

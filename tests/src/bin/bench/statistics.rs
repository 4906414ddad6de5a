//! The little statistics that the figures need.

use serde_json::{Value, json};

/// The value below which this share of the samples lies (nearest rank).
pub fn percentile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few thousand samples at most"
    )]
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.clamp(1, sorted.len().max(1)) - 1)
        .copied()
        .unwrap_or(f64::NAN)
}

/// The middle one.
pub fn median(samples: &[f64]) -> f64 {
    percentile(samples, 0.5)
}

/// Median and tail of durations.
pub fn durations(samples: &[f64]) -> Value {
    json!({"p50": rounded(percentile(samples, 0.5)), "p99": rounded(percentile(samples, 0.99))})
}

/// Two decimal places: more would be noise.
pub fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let samples: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let said = [0.5, 0.99, 1.0].map(|share| percentile(&samples, share).to_string());
        assert_eq!(said, ["50", "99", "100"]);
        assert_eq!(percentile(&[7.0], 0.99).to_string(), "7");
    }
}

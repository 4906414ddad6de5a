//! The last minute as two paths of an SVG image: events per second as bars, the delay as a line.

use std::fmt::Write as _;

/// The height of the image.
pub const HEIGHT: u32 = 22;
/// The width of a second.
pub const SECOND_WIDTH: u32 = 2;

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ChartSecond {
    /// The number of events that the journal received.
    pub events: u64,
    /// The median of milliseconds from the commit to the last stage.
    pub lag: Option<f64>,
}

/// The paths of the bars and of the line. Each is scaled by its own greatest value.
pub fn chart_paths(seconds: impl Iterator<Item = ChartSecond> + Clone) -> (String, String) {
    #[allow(clippy::cast_precision_loss, reason = "no count comes near 2^53")]
    let count = |second: ChartSecond| second.events as f64;
    let most = seconds.clone().map(count).fold(1.0, f64::max);
    let slowest = seconds
        .clone()
        .filter_map(|second| second.lag)
        .fold(1.0, f64::max);
    let height = f64::from(HEIGHT);
    let (mut bars, mut line, mut x) = (String::new(), String::new(), 0);
    for second in seconds {
        if second.events > 0 {
            let top = tenths(height - (count(second) / most * height).max(1.0));
            // Writing to a string cannot fail.
            let _written = write!(bars, "M{x} {HEIGHT}V{top}h1.6V{HEIGHT}z");
        }
        if let Some(lag) = second.lag {
            let command = if line.is_empty() { 'M' } else { 'L' };
            let y = tenths(height - 1.0 - lag / slowest * (height - 2.0));
            let _written = write!(line, "{command}{x}.8 {y}");
        }
        x += SECOND_WIDTH;
    }
    (bars, line)
}

/// A length with one decimal. Formatting floats would need more code than the whole chart.
fn tenths(length: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a length is between zero and the height of the image"
    )]
    let tenths = (length * 10.0).round() as u32;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greatest_value_fills_the_height() {
        let second = |events, lag| ChartSecond { events, lag };
        let seconds = [second(10, Some(4.0)), second(0, None), second(5, Some(2.0))];
        let (bars, line) = chart_paths(seconds.into_iter());
        assert_eq!(bars, "M0 22V0.0h1.6V22zM4 22V11.0h1.6V22z");
        assert_eq!(line, "M0.8 1.0L4.8 11.0");
        assert_eq!(chart_paths(std::iter::empty()), (String::new(), String::new()));
    }
}

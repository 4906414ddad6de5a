//! How often the list is drawn while events stream in.
//!
//! Where whole screens of events arrive between two frames, they pass unread. Drawing each of them
//! would still block scrolling and typing, and take the processor from the inspected page. So a
//! draw that does not fit into its frame is followed by a pause, the longer the more the draw took.
//! That keeps late frames few on any machine and at any rate of events. Changes by the user are
//! drawn at once.

use crate::timing::{FREE_MS, MAX_PAUSE_MS};

/// Milliseconds of pause for each millisecond beyond [`FREE_MS`]. At most about one frame in twenty
/// is late.
const PAUSE_FACTOR: f64 = 30.0;

/// See the [module](self). Instants are milliseconds of one clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct DrawSchedule {
    paused_until: f64,
    requested_at: f64,
}

impl DrawSchedule {
    /// The milliseconds left of the pause; 0: the list may be drawn.
    pub fn remaining_pause(&self, now: f64) -> f64 {
        (self.paused_until - now).max(0.0)
    }

    /// Records a draw, and begins its pause.
    pub fn record_draw(&mut self, began: f64, ended: f64) {
        // The user requested another draw meanwhile: no pause.
        if self.requested_at > began {
            return;
        }
        let beyond = (ended - began - FREE_MS).max(0.0);
        self.paused_until = ended + (beyond * PAUSE_FACTOR).min(MAX_PAUSE_MS);
    }

    /// Ends the pause, because the user changed something.
    pub fn request_draw(&mut self, now: f64) {
        self.paused_until = 0.0;
        self.requested_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_draws_happen_with_each_frame() {
        let mut schedule = DrawSchedule::default();
        assert!(schedule.remaining_pause(0.0) <= 0.0);
        schedule.record_draw(100.0, 104.0);
        assert!(schedule.remaining_pause(104.0) <= 0.0);
    }

    #[test]
    fn late_frames_are_few_at_any_cost_of_a_draw() {
        let frame = 1000.0 / 60.0;
        for cost in 17..=200 {
            let (cost, mut schedule) = (f64::from(cost), DrawSchedule::default());
            let (mut now, mut late, mut frames) = (0.0, 0u32, 0u32);
            while frames < 10_000 {
                let took = if schedule.remaining_pause(now) > 0.0 {
                    1.0
                } else {
                    schedule.record_draw(now, now + cost);
                    cost
                };
                late += u32::from(took > frame);
                frames += 1;
                now += (took / frame).ceil() * frame;
            }
            assert!(late * 100 <= frames * 6, "{late} of {frames} at {cost} ms");
            assert!(schedule.remaining_pause(now) <= MAX_PAUSE_MS);
        }
    }

    #[test]
    fn user_does_not_wait() {
        let mut schedule = DrawSchedule::default();
        schedule.record_draw(0.0, 50.0);
        assert!(schedule.remaining_pause(51.0) > 500.0);
        schedule.request_draw(51.0);
        assert!(schedule.remaining_pause(51.0) <= 0.0);
        // A request during a draw leaves no pause behind it, either.
        schedule.record_draw(60.0, 110.0);
        assert!(schedule.remaining_pause(111.0) > 500.0);
        schedule.request_draw(90.0);
        schedule.record_draw(60.0, 110.0);
        assert!(schedule.remaining_pause(111.0) <= 0.0);
    }
}

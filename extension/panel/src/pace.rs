//! How often the list is drawn anew while events stream in.
//!
//! Where whole screens of events come between two frames nobody reads them, yet to draw each would take the thread from whoever scrolls
//! or types, and the processor from the page that is inspected. So a drawing that leaves no room in its frame is followed by a rest, the
//! longer the dearer it was: of a hundred frames, few are late, whatever the machine and the rate. What a person does is drawn at once.

/// What a drawing may take without a rest behind it, in milliseconds: half a frame on a screen of 60 Hz.
const FREE: f64 = 8.0;
/// How long a rest is, by what the drawing took beyond that: about one frame in twenty is late at most.
const SHARE: f64 = 30.0;
/// The longest rest in milliseconds: the screen still lives.
const REST: f64 = 600.0;

/// See the [module](self). Instants are milliseconds of one clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    rests_until: f64,
    hurried: f64,
}

impl Pace {
    /// How many milliseconds are left of the rest; 0 where the list may be drawn.
    pub fn rest(&self, now: f64) -> f64 {
        (self.rests_until - now).max(0.0)
    }

    /// It was drawn.
    pub fn drawn(&mut self, began: f64, ended: f64) {
        // Somebody has come to wait since.
        if self.hurried > began {
            return;
        }
        let beyond = (ended - began - FREE).max(0.0);
        self.rests_until = ended + (beyond * SHARE).min(REST);
    }

    /// A person waits for it.
    pub fn hurry(&mut self, now: f64) {
        self.rests_until = 0.0;
        self.hurried = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_drawings_come_with_each_frame() {
        let mut pace = Pace::default();
        assert!(pace.rest(0.0) <= 0.0);
        pace.drawn(100.0, 104.0);
        assert!(pace.rest(104.0) <= 0.0);
    }

    #[test]
    fn late_frames_are_few_whatever_a_drawing_costs() {
        let frame = 1000.0 / 60.0;
        for cost in 17..=200 {
            let (cost, mut pace) = (f64::from(cost), Pace::default());
            let (mut now, mut late, mut frames) = (0.0, 0u32, 0u32);
            while frames < 10_000 {
                let took = if pace.rest(now) > 0.0 {
                    1.0
                } else {
                    pace.drawn(now, now + cost);
                    cost
                };
                late += u32::from(took > frame);
                frames += 1;
                now += (took / frame).ceil() * frame;
            }
            assert!(late * 100 <= frames * 6, "{late} of {frames} at {cost} ms");
            assert!(pace.rest(now) <= REST);
        }
    }

    #[test]
    fn a_person_does_not_wait() {
        let mut pace = Pace::default();
        pace.drawn(0.0, 50.0);
        assert!(pace.rest(51.0) > 500.0);
        pace.hurry(51.0);
        assert!(pace.rest(51.0) <= 0.0);
        // Nor where that was while it was drawn.
        pace.drawn(60.0, 110.0);
        assert!(pace.rest(111.0) > 500.0);
        pace.hurry(90.0);
        pace.drawn(60.0, 110.0);
        assert!(pace.rest(111.0) <= 0.0);
    }
}

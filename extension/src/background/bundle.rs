//! Messages for the host that travel together: each frame costs the browser more than what is in
//! it.

use protocol::wire::host::MAX_BUNDLE;

/// Messages that wait for the end of the loop in which they came, never longer.
#[derive(Debug, Default)]
pub struct Bundle {
    /// The messages, with commas between.
    text: String,
    count: usize,
}

impl Bundle {
    /// Adds a message; a frame if the ones before it must leave first.
    pub fn add(&mut self, message: &str) -> Option<String> {
        let full = if self.text.len() + message.len() > MAX_BUNDLE {
            self.take()
        } else {
            None
        };
        if self.count > 0 {
            self.text.push(',');
        }
        self.text.push_str(message);
        self.count += 1;
        full
    }

    /// The frame with what waits: a lone message as it is, several as an array.
    pub fn take(&mut self) -> Option<String> {
        let text = std::mem::take(&mut self.text);
        match std::mem::take(&mut self.count) {
            0 => None,
            1 => Some(text),
            _ => Some(format!("[{text}]")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_message_travels_as_it_is_and_several_as_an_array() {
        let mut bundle = Bundle::default();
        assert_eq!(bundle.take(), None);
        assert_eq!(bundle.add("1"), None);
        assert_eq!(bundle.take().as_deref(), Some("1"));
        assert_eq!((bundle.add("1"), bundle.add("2")), (None, None));
        assert_eq!(bundle.take().as_deref(), Some("[1,2]"));
        assert_eq!(bundle.take(), None);
    }

    #[test]
    fn what_would_be_too_long_leaves_in_order() {
        let long = "x".repeat(MAX_BUNDLE);
        let mut bundle = Bundle::default();
        assert_eq!(bundle.add("1"), None);
        assert_eq!(bundle.add(&long).as_deref(), Some("1"));
        assert_eq!(bundle.add("2"), Some(long));
        assert_eq!(bundle.take().as_deref(), Some("2"));
    }
}

//! What a sink says of itself and of the events that it passes on.

pub use protocol::problem::Problem;

/// How a sink is, for `status` and `tail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// One word, such as `running` or `unreachable`; never changes its meaning.
    pub state: &'static str,
    /// What is wrong and what to do about it.
    pub problem: Option<Problem>,
    /// How often it has failed since it last came further.
    pub attempts: u64,
}

/// Something about one event that a reader of `tail` should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The event.
    pub number: u64,
    /// What happened to it.
    pub text: String,
}

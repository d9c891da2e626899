//! When a service that ended is started again.

use std::time::{Duration, Instant};

/// A service that ends this often within [`WINDOW`] is given up.
const FAILURES_MAX: usize = 5;
/// See [`FAILURES_MAX`].
const WINDOW: Duration = Duration::from_secs(10);

/// Remembers the ends of one service.
#[derive(Debug, Default)]
pub struct Restarts {
    recent: Vec<Instant>,
}

impl Restarts {
    /// The service ended at `now`; true: start it again at once. A service that keeps failing is given up.
    pub fn ended(&mut self, now: Instant) -> bool {
        self.recent.retain(|then| now.duration_since(*then) < WINDOW);
        self.recent.push(now);
        self.recent.len() <= FAILURES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_up_what_keeps_failing() {
        let start = Instant::now();
        let mut restarts = Restarts::default();
        assert!((0..5).all(|n| restarts.ended(start + Duration::from_secs(n))));
        assert!(!restarts.ended(start + Duration::from_secs(5)));
        let mut slow = Restarts::default();
        assert!((0..50).all(|n| slow.ended(start + Duration::from_secs(3 * n))));
    }
}

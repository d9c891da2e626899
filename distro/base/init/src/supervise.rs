//! When a service that ended is started again.

use std::time::{Duration, Instant};

/// So often within [`WINDOW`] a service is started again at once.
const AT_ONCE: usize = 5;
/// See [`AT_ONCE`].
const WINDOW: Duration = Duration::from_secs(10);
/// The first delay; each further one is twice as long.
const DELAY: Duration = Duration::from_millis(100);
/// The longest delay.
const DELAY_MAX: Duration = Duration::from_secs(10);
/// After so many delays without an end of the trouble the service is given up.
const DELAYS_MAX: u32 = 16;

/// Remembers the ends of one service.
#[derive(Debug, Default)]
pub struct Restarts {
    recent: Vec<Instant>,
    delays: u32,
}

impl Restarts {
    /// The service ended at `now`: how long to wait before it is started again. `None`: it is given up.
    ///
    /// One that keeps failing waits longer and longer; one that has run for [`WINDOW`] without ending has a clean record.
    pub fn ended(&mut self, now: Instant, started: Instant) -> Option<Duration> {
        if now.duration_since(started) >= WINDOW {
            self.delays = 0;
        }
        self.recent.retain(|then| now.duration_since(*then) < WINDOW);
        self.recent.push(now);
        if self.delays == 0 && self.recent.len() <= AT_ONCE {
            return Some(Duration::ZERO);
        }
        self.delays += 1;
        (self.delays <= DELAYS_MAX).then(|| DELAY.saturating_mul(1 << (self.delays - 1)).min(DELAY_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_from_what_keeps_failing_and_gives_it_up() {
        let mut now = Instant::now();
        let mut restarts = Restarts::default();
        for _ in 0..AT_ONCE {
            assert_eq!(restarts.ended(now, now), Some(Duration::ZERO));
        }
        let mut delays = Vec::new();
        while let Some(delay) = restarts.ended(now, now) {
            delays.push(delay);
            now += delay;
        }
        assert_eq!(delays[..3], [100, 200, 400].map(Duration::from_millis));
        assert!(delays.is_sorted() && delays.last() == Some(&DELAY_MAX) && delays.len() == DELAYS_MAX as usize);
    }

    #[test]
    fn rare_ends_cost_no_delay_and_a_good_run_clears_the_record() {
        let start = Instant::now();
        let mut slow = Restarts::default();
        for n in 0..50 {
            let now = start + Duration::from_secs(3 * n);
            assert_eq!(slow.ended(now, now), Some(Duration::ZERO));
        }
        let mut restarts = Restarts::default();
        (0..8).for_each(|_| drop(restarts.ended(start, start)));
        let later = start + Duration::from_secs(20);
        assert_eq!(restarts.ended(later, later), Some(Duration::from_millis(800)), "no good run came between");
        assert_eq!(restarts.ended(later + WINDOW * 2, later), Some(Duration::ZERO));
    }
}

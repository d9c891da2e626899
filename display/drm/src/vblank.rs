//! Frames of a CRTC: which one is being sent, when it began, and what waits for one.
//!
//! Frames are counted by the clock: the hardware's own interrupt, where there is one, only corrects when a frame began. Times are ns of
//! CLOCK_MONOTONIC.

use crate::uapi::{EventSequence, EventVblank, event};

/// Names an open file of the device.
pub type ClientId = u64;
/// Bytes of an event as programs read it. All kinds have the same length.
pub const EVENT_LEN: usize = 32;

/// Something a client is told at a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    pub client: ClientId,
    /// See [`event`].
    pub kind: u32,
    pub user_data: u64,
    /// The CRTC's number.
    pub crtc_id: u32,
    /// At which frame.
    pub sequence: u64,
}

/// A frame counter, and who waits for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frames {
    /// ns of a frame; 0 while nothing is sent.
    period: u64,
    /// A frame, and when it began.
    sequence: u64,
    began: u64,
    /// The frame at which the last commit shows.
    flip: Option<u64>,
    notices: Vec<Notice>,
}

impl Notice {
    /// As the client reads it; `time` is when the frame began.
    fn encode(&self, sequence: u64, time: u64) -> [u8; EVENT_LEN] {
        let length = EVENT_LEN as u32;
        if self.kind == event::CRTC_SEQUENCE {
            let event =
                EventSequence { kind: self.kind, length, user_data: self.user_data, time_ns: time as i64, sequence };
            return zerocopy::transmute!(event);
        }
        let event = EventVblank {
            kind: self.kind,
            length,
            user_data: self.user_data,
            tv_sec: (time / 1_000_000_000) as u32,
            tv_usec: (time % 1_000_000_000 / 1000) as u32,
            sequence: sequence as u32,
            crtc_id: self.crtc_id,
        };
        zerocopy::transmute!(event)
    }
}

impl Frames {
    /// Frames are sent from now on, each so long; the count goes on.
    pub fn start(&mut self, now: u64, period: u64) {
        (self.sequence, _) = self.at(now);
        (self.began, self.period) = (now, period.max(1));
    }

    /// No more frames. Whoever waits for one is told now.
    pub fn stop(&mut self, now: u64) -> Vec<(ClientId, [u8; EVENT_LEN])> {
        let (sequence, _) = self.at(now);
        (self.sequence, self.began, self.period) = (sequence, now, 0);
        self.flip = None;
        self.notices.drain(..).map(|notice| (notice.client, notice.encode(sequence, now))).collect()
    }

    /// Frames are sent.
    pub fn runs(&self) -> bool {
        self.period > 0
    }

    /// The frame at a time, and when it began.
    pub fn at(&self, now: u64) -> (u64, u64) {
        let passed = now.saturating_sub(self.began).checked_div(self.period).unwrap_or(0);
        (self.sequence + passed, self.began + passed * self.period)
    }

    /// When a frame begins, if it does.
    pub fn begins(&self, sequence: u64) -> Option<u64> {
        let ahead = sequence.saturating_sub(self.sequence);
        self.runs().then(|| self.began.saturating_add(ahead.saturating_mul(self.period)))
    }

    /// The frame at which the last commit shows, until then.
    pub fn flip(&self) -> Option<u64> {
        self.flip
    }

    /// A commit was made: it shows with the next frame, which is returned.
    pub fn commit(&mut self, now: u64) -> u64 {
        let due = self.at(now).0 + 1;
        self.flip = Some(due);
        due
    }

    /// Somebody is to be told at a frame.
    pub fn notify(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// Events that a client waits for.
    pub fn waiting(&self, client: ClientId) -> usize {
        self.notices.iter().filter(|notice| notice.client == client).count()
    }

    /// A client is gone, and told nothing.
    pub fn forget(&mut self, client: ClientId) {
        self.notices.retain(|notice| notice.client != client);
    }

    /// What has happened by now.
    pub fn tick(&mut self, now: u64) -> Vec<(ClientId, [u8; EVENT_LEN])> {
        let (current, _) = self.at(now);
        if self.flip.is_some_and(|due| due <= current) {
            self.flip = None;
        }
        let mut due: Vec<Notice> = Vec::new();
        self.notices.retain(|notice| {
            let over = notice.sequence <= current;
            if over {
                due.push(*notice);
            }
            !over
        });
        due.sort_by_key(|notice| notice.sequence);
        let told = |notice: Notice| {
            // What was over when it was asked for is told with the present frame.
            let sequence = if notice.sequence < self.sequence { current } else { notice.sequence };
            let time = self.begins(sequence).unwrap_or(now);
            (notice.client, notice.encode(sequence, time))
        };
        due.into_iter().map(told).collect()
    }

    /// When there is something to do next.
    pub fn deadline(&self) -> Option<u64> {
        let earliest = self.notices.iter().map(|notice| notice.sequence).chain(self.flip).min()?;
        self.begins(earliest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(sequence: u64) -> Notice {
        Notice { client: 7, kind: event::FLIP_COMPLETE, user_data: 5, crtc_id: 3, sequence }
    }

    #[test]
    fn every_commit_is_told_once_with_its_own_frame() {
        let mut frames = Frames::default();
        frames.start(1000, 100);
        let mut told = Vec::new();
        let mut now = 1000;
        for n in 0..50 {
            now += n * 7 % 90;
            if frames.flip().is_none() {
                let due = frames.commit(now);
                frames.notify(notice(due));
            }
            let next = frames.deadline().expect("something waits");
            assert!(next > now || frames.at(now).1 == next);
            now = now.max(next);
            told.extend(frames.tick(now).into_iter().map(|(_, event)| {
                let number = |at: usize| u32::from_ne_bytes(event[at..at + 4].try_into().unwrap());
                (number(24), number(20))
            }));
            assert_eq!(frames.deadline(), None);
        }
        assert_eq!(told.len(), 50);
        assert!(told.windows(2).all(|pair| pair[0].0 < pair[1].0), "no frame twice: {told:?}");
    }

    #[test]
    fn stopping_tells_whoever_waits() {
        let mut frames = Frames::default();
        frames.start(0, 10);
        frames.notify(notice(100));
        assert_eq!(frames.stop(25).len(), 1);
        assert_eq!((frames.runs(), frames.at(1000), frames.deadline()), (false, (2, 25), None));
        frames.start(2000, 10);
        assert_eq!(frames.at(2005).0, 2, "the count goes on");
    }

    #[test]
    fn what_is_over_is_told_at_once() {
        let mut frames = Frames::default();
        frames.start(0, 10);
        frames.notify(notice(1));
        assert_eq!(frames.tick(9).len(), 0);
        assert_eq!(frames.tick(35).len(), 1);
        frames.forget(7);
    }
}

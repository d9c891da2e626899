//! Changing what is shown: all at once, or not at all (drm_atomic_uapi.c: drm_mode_atomic_ioctl()).

use crate::device::{Device, Wake};
use crate::driver::{Change, Driver};
use crate::pipeline::Id;
use crate::property::Property;
use crate::state::State;
use crate::uapi::{event, flag, object};
use crate::vblank::{ClientId, Notice};
use ochre_abi::{Errno, Result};

/// What became of a request that may have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is done.
    Done,
    /// It is done, and its caller is told so at this frame.
    DoneAt(Wake),
    /// Nothing happened yet: it is to be made again at this frame.
    Again(Wake),
}

/// How a state is to be taken.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct How {
    /// Only looked at.
    pub test: bool,
    /// The caller does not wait, neither for the last change nor for this one.
    pub nonblocking: bool,
    /// What the eye would see may change: another mode, other connectors.
    pub modeset: bool,
    /// Each CRTC tells this client when it shows, with this word.
    pub event: Option<(ClientId, u64)>,
    /// It does not wait for a frame, and no later change waits for it (cursors).
    pub immediate: bool,
}

impl<D: Driver> Device<D> {
    /// DRM_IOCTL_MODE_ATOMIC: properties of objects, as (object, property, value).
    pub fn atomic(
        &mut self,
        client: ClientId,
        flags: u32,
        changes: &[(Id, Id, u64)],
        user_data: u64,
        now: u64,
    ) -> Result<Progress> {
        const KNOWN: u32 = flag::PAGE_FLIP_EVENT
            | flag::PAGE_FLIP_ASYNC
            | flag::ATOMIC_TEST_ONLY
            | flag::ATOMIC_NONBLOCK
            | flag::ATOMIC_ALLOW_MODESET;
        if !self.client(client)?.atomic || flags & !KNOWN != 0 || flags & flag::PAGE_FLIP_ASYNC != 0 {
            return Err(Errno::EINVAL);
        }
        let has = |flag| flags & flag != 0;
        if has(flag::ATOMIC_TEST_ONLY) && has(flag::PAGE_FLIP_EVENT) {
            return Err(Errno::EINVAL);
        }
        let mut new = self.state.clone();
        for &(id, property, value) in changes {
            let part = self.part(id, object::ANY)?;
            let property = Property::find(property).ok_or(Errno::ENOENT)?;
            // A connector is switched on and off by its CRTC here.
            if property == Property::Dpms {
                return Err(Errno::EINVAL);
            }
            new.set(&self.pipeline, &self.registry, part, property, value)?;
        }
        let how = How {
            test: has(flag::ATOMIC_TEST_ONLY),
            nonblocking: has(flag::ATOMIC_NONBLOCK),
            modeset: has(flag::ATOMIC_ALLOW_MODESET),
            event: has(flag::PAGE_FLIP_EVENT).then_some((client, user_data)),
            immediate: false,
        };
        let named: Vec<Id> = changes.iter().map(|change| change.0).collect();
        self.take(new, &named, how, now)
    }

    /// Checks a state, and makes it the one that is shown. `named`: objects that the caller mentioned, whose CRTCs count as touched.
    pub(crate) fn take(&mut self, new: State, named: &[Id], how: How, now: u64) -> Result<Progress> {
        new.check(&self.pipeline)?;
        if !how.modeset && new.needs_modeset(&self.state) {
            return Err(Errno::EINVAL);
        }
        let change = Change { pipeline: &self.pipeline, old: &self.state, new: &new };
        self.driver.check(&change)?;
        let mut touched = new.touched(&self.state);
        touched.extend(self.crtcs_of(&new, named));
        touched.sort_unstable();
        touched.dedup();
        if how.test {
            return Ok(Progress::Done);
        }
        if how.event.is_some() {
            // An event is a frame's: there must be one. Nor is there one of nothing.
            let shown = |&crtc: &usize| {
                new.crtcs.get(crtc).is_some_and(|crtc| crtc.active)
                    || self.state.crtcs.get(crtc).is_some_and(|crtc| crtc.active)
            };
            if touched.is_empty() || !touched.iter().all(shown) {
                return Err(Errno::EINVAL);
            }
        }
        if !how.immediate
            && let Some(busy) = self.busy(&touched, now)
        {
            return if how.nonblocking { Err(Errno::EBUSY) } else { Ok(Progress::Again(busy)) };
        }
        self.promise(how, touched.len())?;
        if let Err(error) = self.driver.commit(&Change { pipeline: &self.pipeline, old: &self.state, new: &new }) {
            if let Some((client, _)) = how.event {
                let promised = self.client(client)?;
                (0..touched.len()).for_each(|_| promised.withdraw());
            }
            return Err(error);
        }
        self.replace_state(new, now);
        if how.immediate {
            return Ok(Progress::Done);
        }
        Ok(self.follow(&touched, how, now))
    }

    /// CRTCs of objects, now and in a new state, by index.
    fn crtcs_of(&self, new: &State, named: &[Id]) -> Vec<usize> {
        use crate::pipeline::Part;
        let of = |state: &State, part: Part| match part {
            Part::Crtc(n) => Some(n),
            Part::Plane(n) => state.planes.get(n)?.crtc,
            Part::Connector(n) => state.connectors.get(n)?.crtc,
            Part::Encoder(_) => None,
        };
        let parts = named.iter().filter_map(|&id| self.pipeline.find(id));
        parts.flat_map(|part| [of(new, part), of(&self.state, part)]).flatten().collect()
    }

    /// A CRTC among these whose last change does not show yet.
    fn busy(&self, crtcs: &[usize], now: u64) -> Option<Wake> {
        crtcs.iter().find_map(|&crtc| {
            let frames = self.frames.get(crtc)?;
            let due = frames.flip().filter(|due| *due > frames.at(now).0)?;
            Some(Wake { crtc, sequence: due })
        })
    }

    /// Makes room for the events of a change, or for none of them.
    fn promise(&mut self, how: How, count: usize) -> Result<()> {
        let Some((client, _)) = how.event else { return Ok(()) };
        let client = self.client(client)?;
        for made in 0..count {
            if let Err(error) = client.promise() {
                (0..made).for_each(|_| client.withdraw());
                return Err(error);
            }
        }
        Ok(())
    }

    /// After a change: which frame shows it, and who is told.
    fn follow(&mut self, touched: &[usize], how: How, now: u64) -> Progress {
        let mut last = None;
        let mut at_once = Vec::new();
        for &crtc in touched {
            let (Some(frames), Some(part)) = (self.frames.get_mut(crtc), self.pipeline.crtcs.get(crtc)) else {
                continue;
            };
            let runs = frames.runs();
            let sequence = if runs { frames.commit(now) } else { frames.at(now).0 };
            if let Some((client, user_data)) = how.event {
                frames.notify(Notice { client, kind: event::FLIP_COMPLETE, user_data, crtc_id: part.id, sequence });
            }
            if runs {
                last = Some(Wake { crtc, sequence });
            } else {
                // It went off with this change: there is no frame to wait for.
                at_once.extend(frames.stop(now));
            }
        }
        self.deliver(at_once);
        match last {
            Some(wake) if !how.nonblocking => Progress::DoneAt(wake),
            _ => Progress::Done,
        }
    }
}

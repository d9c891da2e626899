//! Asking for frames: which one it is, and to be told of one (drm_vblank.c).

use crate::commit::Progress;
use crate::device::{Device, Wake};
use crate::driver::Driver;
use crate::pipeline::Part;
use crate::uapi::{GetSequence, QueueSequence, WaitVblank, event, flag, object};
use crate::vblank::{ClientId, Notice};
use ochre_abi::{Errno, Result};

/// DRM_IOCTL_WAIT_VBLANK's type: relative, which CRTC, and flags.
const RELATIVE: u32 = 1;
const HIGH_CRTC: u32 = 0x3e;
const HIGH_CRTC_SHIFT: u32 = 1;
const EVENT: u32 = 0x0400_0000;
const NEXT_ON_MISS: u32 = 0x1000_0000;
const SECONDARY: u32 = 0x2000_0000;
const KNOWN: u32 = RELATIVE | HIGH_CRTC | EVENT | NEXT_ON_MISS | SECONDARY;
/// A 32-bit frame number that is so far ahead lies behind.
const BEHIND: u32 = 1 << 23;

impl<D: Driver> Device<D> {
    pub(crate) fn wait_vblank(
        &mut self,
        client: ClientId,
        wanted: WaitVblank,
        now: u64,
    ) -> Result<(WaitVblank, Progress)> {
        if wanted.kind & !KNOWN != 0 {
            return Err(Errno::EINVAL);
        }
        let crtc = match (wanted.kind & HIGH_CRTC) >> HIGH_CRTC_SHIFT {
            0 => usize::from(wanted.kind & SECONDARY != 0),
            high => high as usize,
        };
        let frames = self.frames.get(crtc).filter(|frames| frames.runs()).ok_or(Errno::EINVAL)?;
        let (current, _) = frames.at(now);
        let target = if wanted.kind & RELATIVE != 0 {
            current + u64::from(wanted.sequence)
        } else {
            // 32 bits of the number, near the present one.
            let ahead = wanted.sequence.wrapping_sub(current as u32);
            let behind = ahead.wrapping_neg() <= BEHIND && ahead != 0;
            if behind { current - u64::from(ahead.wrapping_neg()).min(current) } else { current + u64::from(ahead) }
        };
        let target = if wanted.kind & NEXT_ON_MISS != 0 && target <= current { current + 1 } else { target };
        if wanted.kind & EVENT != 0 {
            self.client(client)?.promise()?;
            self.notify(crtc, client, event::VBLANK, wanted.value, target, now);
            return Ok((WaitVblank { sequence: target as u32, ..wanted }, Progress::Done));
        }
        // By the time that the caller is told, it is this frame.
        let shown = target.max(current);
        let began = self.frames.get(crtc).and_then(|frames| frames.begins(shown)).unwrap_or(now);
        let reply = WaitVblank {
            kind: wanted.kind,
            sequence: shown as u32,
            value: began / 1_000_000_000,
            usec: (began % 1_000_000_000 / 1000) as i64,
        };
        let progress =
            if target <= current { Progress::Done } else { Progress::DoneAt(Wake { crtc, sequence: target }) };
        Ok((reply, progress))
    }

    pub(crate) fn get_sequence(&self, wanted: GetSequence, now: u64) -> Result<GetSequence> {
        let frames = self.frames_of(wanted.crtc_id)?.1;
        let (sequence, began) = frames.at(now);
        Ok(GetSequence { active: frames.runs().into(), sequence, sequence_ns: began as i64, ..wanted })
    }

    pub(crate) fn queue_sequence(
        &mut self,
        client: ClientId,
        wanted: QueueSequence,
        now: u64,
    ) -> Result<QueueSequence> {
        let (crtc, frames) = self.frames_of(wanted.crtc_id)?;
        if wanted.flags & !(flag::CRTC_SEQUENCE_RELATIVE | flag::CRTC_SEQUENCE_NEXT_ON_MISS) != 0 || !frames.runs() {
            return Err(Errno::EINVAL);
        }
        let (current, _) = frames.at(now);
        let relative = wanted.flags & flag::CRTC_SEQUENCE_RELATIVE != 0;
        let target = if relative { current.saturating_add(wanted.sequence) } else { wanted.sequence };
        let late = wanted.flags & flag::CRTC_SEQUENCE_NEXT_ON_MISS != 0 && target <= current;
        let sequence = if late { current + 1 } else { target };
        self.client(client)?.promise()?;
        self.notify(crtc, client, event::CRTC_SEQUENCE, wanted.user_data, sequence, now);
        Ok(QueueSequence { sequence, ..wanted })
    }

    fn frames_of(&self, id: u32) -> Result<(usize, &crate::vblank::Frames)> {
        let Part::Crtc(n) = self.part(id, object::CRTC)? else { return Err(Errno::ENOENT) };
        Ok((n, self.frames.get(n).ok_or(Errno::ENOENT)?))
    }

    fn notify(&mut self, crtc: usize, client: ClientId, kind: u32, user_data: u64, sequence: u64, now: u64) {
        let Some(crtc_id) = self.pipeline.crtcs.get(crtc).map(|crtc| crtc.id) else { return };
        if let Some(frames) = self.frames.get_mut(crtc) {
            frames.notify(Notice { client, kind, user_data, crtc_id, sequence });
        }
        // What is over already is told at once.
        self.tick(now);
    }
}

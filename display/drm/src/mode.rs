//! Display modes: their numbers, whether they make sense, and modes for sizes that nobody has numbers for.

use crate::uapi::{ModeInfo, name};
use ochre_abi::{Errno, Result};

/// DRM_MODE_FLAG_: polarity of the synchronisation pulses; DRM_MODE_TYPE_.
const NEGATIVE_HSYNC: u32 = 1 << 1;
const POSITIVE_VSYNC: u32 = 1 << 2;
const INTERLACE: u32 = 1 << 4;
const DOUBLE_SCAN: u32 = 1 << 5;
/// The mode that the display is made for.
pub const PREFERRED: u32 = 1 << 3;
/// A mode of the driver's.
pub const DRIVER: u32 = 1 << 6;

/// Sizes of displays in use, for those that do not tell their modes.
const SIZES: [(u16, u16); 16] = [
    (3840, 2160),
    (2560, 1600),
    (2560, 1440),
    (1920, 1200),
    (1920, 1080),
    (1680, 1050),
    (1600, 1200),
    (1600, 900),
    (1440, 900),
    (1366, 768),
    (1280, 1024),
    (1280, 800),
    (1280, 720),
    (1024, 768),
    (800, 600),
    (640, 480),
];

impl ModeInfo {
    /// EINVAL or ERANGE for numbers that are no mode (drm_mode_convert_umode()).
    pub fn check(&self) -> Result<()> {
        if self.clock > i32::MAX as u32 || self.vrefresh > i32::MAX as u32 {
            return Err(Errno::ERANGE);
        }
        let ordered = |display: u16, start: u16, end: u16, total: u16| {
            display > 0 && display <= start && start <= end && end <= total
        };
        let sound = self.clock > 0
            && ordered(self.hdisplay, self.hsync_start, self.hsync_end, self.htotal)
            && ordered(self.vdisplay, self.vsync_start, self.vsync_end, self.vtotal);
        if sound { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// Nanoseconds from one frame to the next; at least 1.
    pub fn frame_ns(&self) -> u64 {
        let mut pixels = u64::from(self.htotal) * u64::from(self.vtotal);
        if self.flags & INTERLACE != 0 {
            pixels /= 2;
        }
        if self.flags & DOUBLE_SCAN != 0 {
            pixels *= 2;
        }
        pixels *= u64::from(self.vscan.max(1));
        (pixels * 1_000_000 / u64::from(self.clock.max(1))).max(1)
    }

    /// Whole hertz, rounded (drm_mode_vrefresh()).
    pub fn refresh(&self) -> u32 {
        ((1_000_000_000 + self.frame_ns() / 2) / self.frame_ns()) as u32
    }

    /// A mode for any size, by VESA's Coordinated Video Timings 1.1, without reduced blanking. The width is cut to a multiple of 8.
    /// `None` for sizes that have none: zero, or too large for the fields.
    pub fn timed(width: u16, height: u16, hertz: u32) -> Option<ModeInfo> {
        /// Lines of the front porch; least time of pulse and back porch, µs; percents of the pulse, kHz that clocks go in.
        const FRONT_PORCH: u64 = 3;
        const LEAST_SYNC: u64 = 550;
        const PULSE_PERCENT: u64 = 8;
        const CLOCK_STEP: u64 = 250;
        const CELL: u64 = 8;
        let (width, height, hertz) = (u64::from(width) / CELL * CELL, u64::from(height), u64::from(hertz));
        if width == 0 || height == 0 || hertz == 0 || hertz > 1000 {
            return None;
        }
        let ratio = |h: u64, v: u64| height.is_multiple_of(v) && height * h / v == width;
        let pulse = match () {
            () if ratio(4, 3) => 4,
            () if ratio(16, 9) => 5,
            () if ratio(16, 10) => 6,
            () if ratio(5, 4) || ratio(15, 9) => 7,
            () => 10,
        };
        // A line's time in ns/1000, and how many lines pulse and back porch take.
        let line = (1_000_000_000 - LEAST_SYNC * 1000 * hertz) / ((height + FRONT_PORCH) * hertz);
        let sync = (LEAST_SYNC * 1000 / line.max(1) + 1).max(pulse + FRONT_PORCH);
        let vtotal = height + sync + FRONT_PORCH;
        // The share of blanking in thousandths of a percent: C' and M' of the generalised timing formula.
        let blank_share = (30_000u64.saturating_sub(300 * line / 1000)).max(20_000);
        let blank = width * blank_share / (100_000 - blank_share) / (2 * CELL) * (2 * CELL);
        let htotal = width + blank;
        let hsync_end = width + blank / 2;
        let hsync_start = hsync_end - htotal * PULSE_PERCENT / 100;
        let hsync_start = hsync_start + CELL - hsync_start % CELL;
        let clock = htotal * 1_000_000 / line.max(1) / CLOCK_STEP * CLOCK_STEP;
        let narrow = |value: u64| u16::try_from(value).ok();
        let mode = ModeInfo {
            clock: u32::try_from(clock).ok()?,
            hdisplay: narrow(width)?,
            hsync_start: narrow(hsync_start)?,
            hsync_end: narrow(hsync_end)?,
            htotal: narrow(htotal)?,
            vdisplay: narrow(height)?,
            vsync_start: narrow(height + FRONT_PORCH)?,
            vsync_end: narrow(height + FRONT_PORCH + pulse)?,
            vtotal: narrow(vtotal)?,
            flags: NEGATIVE_HSYNC | POSITIVE_VSYNC,
            kind: DRIVER,
            name: name(&format!("{width}x{height}")),
            ..ModeInfo::default()
        };
        // Sizes that are too small come out without a clock.
        mode.check().ok().map(|()| ModeInfo { vrefresh: mode.refresh(), ..mode })
    }

    /// Modes at 60 Hz that fit into a size, which is the preferred one's.
    pub fn fitting(width: u16, height: u16) -> Vec<ModeInfo> {
        let preferred = ModeInfo::timed(width, height, 60).map(|mode| ModeInfo { kind: mode.kind | PREFERRED, ..mode });
        let smaller =
            SIZES.iter().filter(|size| (size.0 < width && size.1 <= height) || (size.0 <= width && size.1 < height));
        preferred.into_iter().chain(smaller.filter_map(|size| ModeInfo::timed(size.0, size.1, 60))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `cvt 1280 800` and `cvt 1920 1080` print.
    #[test]
    fn timings_are_those_of_cvt() {
        let mode = ModeInfo::timed(1280, 800, 60).unwrap();
        let numbers = |mode: ModeInfo| {
            [
                mode.hdisplay,
                mode.hsync_start,
                mode.hsync_end,
                mode.htotal,
                mode.vdisplay,
                mode.vsync_start,
                mode.vsync_end,
                mode.vtotal,
            ]
        };
        assert_eq!((mode.clock, numbers(mode)), (83_500, [1280, 1352, 1480, 1680, 800, 803, 809, 831]));
        let mode = ModeInfo::timed(1920, 1080, 60).unwrap();
        assert_eq!((mode.clock, numbers(mode)), (173_000, [1920, 2048, 2248, 2576, 1080, 1083, 1088, 1120]));
        assert_eq!((mode.refresh(), mode.frame_ns()), (60, 16_676_994));
    }

    #[test]
    fn what_is_made_is_sound() {
        for (width, height) in SIZES.into_iter().chain([(8, 1), (4096, 2304), (65_535, 65_535), (7, 7)]) {
            if let Some(mode) = ModeInfo::timed(width, height, 60) {
                assert_eq!(mode.check(), Ok(()), "{width}x{height}");
            }
        }
        let modes = ModeInfo::fitting(1280, 800);
        assert_eq!(modes.iter().filter(|mode| mode.kind & PREFERRED != 0).count(), 1);
        assert!(modes.len() > 3 && modes.iter().all(|mode| mode.hdisplay <= 1280 && mode.vdisplay <= 800));
    }

    #[test]
    fn nonsense_is_refused() {
        let mode = ModeInfo::timed(640, 480, 60).unwrap();
        assert_eq!(ModeInfo { hdisplay: 0, ..mode }.check(), Err(Errno::EINVAL));
        assert_eq!(ModeInfo { vtotal: 1, ..mode }.check(), Err(Errno::EINVAL));
        assert_eq!(ModeInfo { clock: 0, ..mode }.check(), Err(Errno::EINVAL));
        assert_eq!(ModeInfo { clock: u32::MAX, ..mode }.check(), Err(Errno::ERANGE));
    }
}

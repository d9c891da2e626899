//! Memory for pictures, by handles and descriptors, and framebuffers over it (drm_gem.c, drm_prime.c, drm_dumb_buffers.c, drm_framebuffer.c).

use crate::device::Device;
use crate::driver::Driver;
use crate::format;
use crate::pipeline::{Buffer, Framebuffer, Id, Surface};
use crate::uapi::{CreateDumb, FbCmd, FbCmd2, flag};
use crate::vblank::ClientId;
use ochre_abi::{Errno, Result};
use std::sync::Arc;

/// A dumb buffer's width and height at the most; more is no picture.
const SIDE_MAX: u32 = 1 << 16;
/// DRM_CLOEXEC and DRM_RDWR.
const PRIME_FLAGS: u32 = 0x8_0000 | 2;
const PRIME_WRITABLE: u32 = 2;

impl<D: Driver> Device<D> {
    /// DRM_IOCTL_MODE_CREATE_DUMB. EINVAL: no picture, or one that is too large.
    pub fn create_dumb(&mut self, id: ClientId, wanted: &CreateDumb) -> Result<CreateDumb> {
        let CreateDumb { width, height, bpp, .. } = *wanted;
        let sane = |side: u32| (1..=SIDE_MAX).contains(&side);
        if !sane(width) || !sane(height) || !matches!(bpp, 8 | 16 | 24 | 32) {
            return Err(Errno::EINVAL);
        }
        let dumb = self.driver.create_dumb(width, height, bpp)?;
        let buffer = self.add_buffer(dumb.memory, dumb.size);
        let handle = self.client(id)?.handle(&buffer)?;
        Ok(CreateDumb { handle, pitch: dumb.pitch, size: dumb.size, ..*wanted })
    }

    /// The buffer of a client's handle. ENOENT.
    pub fn buffer(&mut self, id: ClientId, handle: u32) -> Result<Arc<Buffer>> {
        self.client(id)?.buffer(handle).cloned().ok_or(Errno::ENOENT)
    }

    /// DRM_IOCTL_PRIME_HANDLE_TO_FD. ENOENT: no such handle; EINVAL: unknown flags.
    pub fn export(&mut self, id: ClientId, handle: u32, flags: u32) -> Result<D::Descriptor> {
        if flags & !PRIME_FLAGS != 0 {
            return Err(Errno::EINVAL);
        }
        let buffer = self.buffer(id, handle)?;
        self.driver.export(&buffer, flags & PRIME_WRITABLE != 0)
    }

    /// DRM_IOCTL_PRIME_FD_TO_HANDLE: this client's handle for the buffer, which may be its own or another's.
    pub fn import(&mut self, id: ClientId, descriptor: D::Descriptor) -> Result<u32> {
        let own = self.driver.number_of(&descriptor).and_then(|number| self.buffers.get(&number)?.upgrade());
        let buffer = match own {
            Some(buffer) => buffer,
            None => {
                let (memory, size) = self.driver.import(descriptor)?;
                self.add_buffer(memory, size)
            }
        };
        self.client(id)?.handle(&buffer)
    }

    /// DRM_IOCTL_GEM_FLINK: a name under which every authenticated client can open the buffer.
    pub fn flink(&mut self, id: ClientId, handle: u32) -> Result<u32> {
        let buffer = self.buffer(id, handle)?;
        let known = self.names.iter().find(|(_, one)| one.as_ptr() == Arc::as_ptr(&buffer)).map(|(name, _)| *name);
        let name = known.or_else(|| (1..u32::MAX).find(|name| !self.names.contains_key(name))).ok_or(Errno::ENOSPC)?;
        self.names.insert(name, Arc::downgrade(&buffer));
        Ok(name)
    }

    /// DRM_IOCTL_GEM_OPEN: a handle, and the buffer's size. ENOENT.
    pub fn open_name(&mut self, id: ClientId, name: u32) -> Result<(u32, u64)> {
        let buffer = self.names.get(&name).and_then(std::sync::Weak::upgrade).ok_or(Errno::ENOENT)?;
        Ok((self.client(id)?.handle(&buffer)?, buffer.size))
    }

    /// DRM_IOCTL_MODE_ADDFB2. EINVAL: nothing that this device shows; ENOENT: no such handle.
    pub fn add_framebuffer(&mut self, id: ClientId, wanted: &FbCmd2) -> Result<Id> {
        let framebuffer = self.framebuffer_of(id, wanted)?;
        self.client(id)?.check_room()?;
        let number = self.new_id();
        self.registry.framebuffers.insert(number, Arc::new(Framebuffer { id: number, ..framebuffer }));
        self.client(id)?.framebuffers.insert(number);
        Ok(number)
    }

    /// DRM_IOCTL_MODE_ADDFB.
    pub fn add_legacy(&mut self, id: ClientId, wanted: &FbCmd) -> Result<Id> {
        let pixel_format = format::legacy(wanted.bpp, wanted.depth).ok_or(Errno::EINVAL)?;
        let wanted = FbCmd2 {
            width: wanted.width,
            height: wanted.height,
            pixel_format,
            handles: [wanted.handle, 0, 0, 0],
            pitches: [wanted.pitch, 0, 0, 0],
            ..FbCmd2::default()
        };
        self.add_framebuffer(id, &wanted)
    }

    /// A framebuffer as described, without a number yet.
    pub(crate) fn framebuffer_of(&mut self, id: ClientId, wanted: &FbCmd2) -> Result<Framebuffer> {
        let limits = self.driver.limits();
        let within = |side: u32, least: u32, most: u32| (least..=most).contains(&side);
        let sized =
            within(wanted.width, limits.least.0, limits.most.0) && within(wanted.height, limits.least.1, limits.most.1);
        let layouts = format::layouts(wanted.pixel_format).filter(|_| sized).ok_or(Errno::EINVAL)?;
        if !self.pipeline.planes.iter().any(|plane| plane.formats.contains(&wanted.pixel_format)) {
            return Err(Errno::EINVAL);
        }
        let with_modifier = wanted.flags & flag::FB_MODIFIERS != 0;
        // Bit 0 is interlaced, which nothing here shows.
        if wanted.flags & !flag::FB_MODIFIERS != 0 {
            return Err(Errno::EINVAL);
        }
        let modifier = if with_modifier { wanted.modifier[0] } else { format::LINEAR };
        if !self.pipeline.planes.iter().any(|plane| plane.modifiers.contains(&modifier)) {
            return Err(Errno::EINVAL);
        }
        let mut buffers = Vec::new();
        for (n, layout) in layouts.iter().enumerate() {
            let (pitch, offset) = (wanted.pitches[n], wanted.offsets[n]);
            let (width, height) = (wanted.width.div_ceil(layout.shrink), wanted.height.div_ceil(layout.shrink));
            if wanted.handles[n] == 0 || (with_modifier && wanted.modifier[n] != modifier) {
                return Err(Errno::EINVAL);
            }
            let row = u64::from(width) * u64::from(layout.bytes);
            let end = u64::from(pitch) * u64::from(height - 1) + row + u64::from(offset);
            if u64::from(pitch) < row || end > u32::MAX.into() {
                return Err(Errno::EINVAL);
            }
            let buffer = self.buffer(id, wanted.handles[n])?;
            if end > buffer.size {
                return Err(Errno::EINVAL);
            }
            buffers.push(Surface { buffer, pitch, offset });
        }
        // What the format does not have must not be given either.
        let unused = layouts.len()..4;
        let given = |n: usize| {
            wanted.handles[n] != 0 || wanted.pitches[n] != 0 || wanted.offsets[n] != 0 || wanted.modifier[n] != 0
        };
        if unused.clone().any(|n| wanted.handles[n] != 0) || (with_modifier && unused.into_iter().any(given)) {
            return Err(Errno::EINVAL);
        }
        Ok(Framebuffer {
            id: 0,
            width: wanted.width,
            height: wanted.height,
            format: wanted.pixel_format,
            modifier,
            with_modifier,
            buffers,
        })
    }

    /// DRM_IOCTL_MODE_RMFB and, with `keep` what is shown, CLOSEFB. ENOENT: it is not this client's.
    pub fn remove(&mut self, id: ClientId, framebuffer: Id, keep: bool, now: u64) -> Result<()> {
        if !self.client(id)?.framebuffers.remove(&framebuffer) {
            return Err(Errno::ENOENT);
        }
        if keep {
            // The plane that shows it has its own reference.
            self.registry.framebuffers.remove(&framebuffer);
        } else {
            self.remove_framebuffer(framebuffer, now);
        }
        Ok(())
    }
}

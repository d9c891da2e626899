//! ioctls: who may make them, from bytes to calls, and back.
//!
//! What a caller's struct lacks is zero, what it has too much is ignored (drm_ioctl()). The errors are those of Linux's functions of like names.

use crate::arrays::{Arrays, get};
use crate::client::NodeKind;
use crate::commit::Progress;
use crate::device::Device;
use crate::driver::Driver;
use crate::pipeline::Id;
use crate::uapi::*;
use crate::vblank::ClientId;
use ochre_abi::{Errno, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A request.
pub struct Request<'a, Fd> {
    /// Its number, as the caller gave it.
    pub number: u32,
    /// The caller's struct.
    pub input: &'a [u8],
    /// What its fields point to.
    pub arrays: &'a mut dyn Arrays,
    /// The descriptor that came along.
    pub descriptor: Option<Fd>,
    /// The caller is root.
    pub root: bool,
    /// CLOCK_MONOTONIC, ns.
    pub now: u64,
}

/// An answer.
#[derive(Debug)]
pub struct Reply<Fd> {
    /// The struct for the caller, of which it gets as much as it has room for.
    pub output: Vec<u8>,
    /// A descriptor for the caller.
    pub descriptor: Option<Fd>,
    /// Whether the answer may be sent.
    pub progress: Progress,
}

/// Who may make a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Everybody, on every node.
    Render,
    /// Whoever has the primary node open.
    Primary,
    /// Authenticated clients of the primary node.
    Authenticated,
    /// The master.
    Master,
}

fn access(number: u8) -> Access {
    match number {
        // VERSION, GEM_CLOSE, GET_CAP, PRIME.
        0x00 | 0x09 | 0x0c | 0x2d | 0x2e => Access::Render,
        // GEM_FLINK, GEM_OPEN.
        0x0a | 0x0b => Access::Authenticated,
        // SET_VERSION, AUTH_MAGIC, SETCRTC, CURSOR, SETGAMMA, SETPROPERTY, PAGE_FLIP, DIRTYFB, SETPLANE, OBJ_SETPROPERTY, CURSOR2, ATOMIC.
        0x07 | 0x11 | 0xa2 | 0xa3 | 0xa5 | 0xab | 0xb0 | 0xb1 | 0xb7 | 0xba | 0xbb | 0xbc => Access::Master,
        _ => Access::Primary,
    }
}

/// The caller's struct; what it lacks is zero.
fn of<T: FromBytes + IntoBytes + Immutable>(input: &[u8]) -> T {
    let mut value = T::new_zeroed();
    let part = input.get(..size_of::<T>().min(input.len())).unwrap_or_default();
    let mut bytes = value.as_bytes().to_vec();
    bytes.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
    if let Ok(read) = T::read_from_bytes(&bytes) {
        value = read;
    }
    value
}

fn done<Fd>(value: &(impl IntoBytes + Immutable)) -> Result<Reply<Fd>> {
    with(value, Progress::Done)
}

fn with<Fd>(value: &(impl IntoBytes + Immutable), progress: Progress) -> Result<Reply<Fd>> {
    Ok(Reply { output: value.as_bytes().to_vec(), descriptor: None, progress })
}

impl<D: Driver> Device<D> {
    /// Makes a request of a client's. ENOTTY: there is none such; EACCES: not for this client.
    pub fn ioctl(&mut self, id: ClientId, request: Request<'_, D::Descriptor>) -> Result<Reply<D::Descriptor>> {
        let displays = |found: &ochre_ioctl::Found| (found.row.request >> 8) as u8 == ochre_ioctl::drm::TYPE;
        let found = ochre_ioctl::find(request.number).filter(displays).ok_or(Errno::ENOTTY)?;
        let number = found.row.request as u8;
        self.permit(id, access(number))?;
        let Request { input, arrays, descriptor, root, now, .. } = request;
        match number {
            0x00 => done(&self.version(of(input), arrays)?),
            0x01 => done(&self.unique(of(input), arrays)?),
            0x02 => done(&self.magic(id)?),
            0x05 => done(&self.client_info(of(input))?),
            0x07 => done(&self.set_version(of(input))?),
            0x09 => {
                let wanted: Handle = of(input);
                self.client(id)?.close_handle(wanted.handle)?;
                done(&())
            }
            0x0a => {
                let wanted: Handle = of(input);
                done(&Handle { pad: self.flink(id, wanted.handle)?, ..wanted })
            }
            0x0b => {
                // struct drm_gem_open: name, handle, size.
                let [name, _, _, _]: [u32; 4] = of(input);
                let (handle, size) = self.open_name(id, name)?;
                done(&[name, handle, size as u32, (size >> 32) as u32])
            }
            0x0c => {
                let wanted: Cap = of(input);
                done(&Cap { value: self.capability(id, wanted.capability)?, ..wanted })
            }
            0x0d => {
                self.set_client_capability(id, of(input))?;
                done(&())
            }
            0x11 => {
                self.authenticate(of(input))?;
                done(&())
            }
            0x1e => {
                self.set_master(id, root)?;
                done(&())
            }
            0x1f => {
                self.drop_master(id, root)?;
                done(&())
            }
            0x2d => {
                let wanted: Prime = of(input);
                let descriptor = self.export(id, wanted.handle, wanted.flags)?;
                Ok(Reply { output: wanted.as_bytes().to_vec(), descriptor: Some(descriptor), progress: Progress::Done })
            }
            0x2e => {
                let wanted: Prime = of(input);
                let handle = self.import(id, descriptor.ok_or(Errno::EBADF)?)?;
                done(&Prime { handle, ..wanted })
            }
            0x3a => {
                let (reply, progress) = self.wait_vblank(id, of(input), now)?;
                with(&reply, progress)
            }
            0x3b => done(&self.get_sequence(of(input), now)?),
            0x3c => done(&self.queue_sequence(id, of(input), now)?),
            0xa0 => done(&self.resources(id, of(input), arrays)?),
            0xa1 => done(&self.get_crtc(of(input))?),
            0xa2 => {
                let wanted: CrtcInfo = of(input);
                let connectors = get(arrays, 0, wanted.count_connectors as usize)?;
                with(&wanted, self.set_crtc(&wanted, &connectors, now)?)
            }
            0xa3 => {
                // The old struct has no hot spot.
                let wanted: Cursor = of(input.get(..28).unwrap_or(input));
                self.cursor(id, &wanted, now)?;
                done(&())
            }
            // No CRTC here has a table.
            0xa4 => self.crtc_exists(of::<CrtcLut>(input).crtc_id).and(Err(Errno::EINVAL)),
            0xa5 => self.crtc_exists(of::<CrtcLut>(input).crtc_id).and(Err(Errno::ENOSYS)),
            0xa6 => done(&self.get_encoder(of(input))?),
            0xa7 => done(&self.get_connector(id, of(input), arrays)?),
            0xaa => done(&self.get_property(of(input), arrays)?),
            0xab => {
                let wanted: SetProperty = of(input);
                let progress =
                    self.set_property(wanted.connector_id, object::CONNECTOR, wanted.prop_id, wanted.value, now)?;
                with(&wanted, progress)
            }
            0xac => done(&self.get_blob(of(input), arrays)?),
            0xad => done(&self.get_framebuffer(id, of(input), root)?),
            0xae => {
                let wanted: FbCmd = of(input);
                done(&FbCmd { fb_id: self.add_legacy(id, &wanted)?, ..wanted })
            }
            0xaf => {
                self.remove(id, of::<u32>(input), false, now)?;
                done(&of::<u32>(input))
            }
            0xb0 => {
                let wanted: PageFlip = of(input);
                with(&wanted, self.page_flip(id, &wanted, now)?)
            }
            0xb1 => {
                let wanted: DirtyFb = of(input);
                with(&wanted, self.dirty_clips(&wanted, arrays, now)?)
            }
            0xb2 => done(&self.create_dumb(id, &of(input))?),
            0xb3 => {
                let wanted: MapDumb = of(input);
                let buffer = self.buffer(id, wanted.handle)?;
                done(&MapDumb { offset: offset_of(buffer.number), ..wanted })
            }
            0xb4 => {
                self.client(id)?.close_handle(of(input))?;
                done(&of::<u32>(input))
            }
            0xb5 => done(&self.plane_resources(id, of(input), arrays)?),
            0xb6 => done(&self.get_plane(id, of(input), arrays)?),
            0xb7 => {
                let wanted: SetPlane = of(input);
                with(&wanted, self.set_plane(&wanted, now)?)
            }
            0xb8 => {
                let wanted: FbCmd2 = of(input);
                done(&FbCmd2 { fb_id: self.add_framebuffer(id, &wanted)?, ..wanted })
            }
            0xb9 => done(&self.object_properties(id, of(input), arrays)?),
            0xba => {
                let wanted: ObjectSetProperty = of(input);
                let progress = self.set_property(wanted.obj_id, wanted.obj_type, wanted.prop_id, wanted.value, now)?;
                with(&wanted, progress)
            }
            0xbb => {
                self.cursor(id, &of(input), now)?;
                done(&())
            }
            0xbc => {
                let wanted: Atomic = of(input);
                with(&wanted, self.atomic_request(id, &wanted, arrays, now)?)
            }
            0xbd => {
                let wanted: CreateBlob = of(input);
                done(&CreateBlob { blob_id: self.create_blob(id, wanted.length, arrays)?, ..wanted })
            }
            0xbe => {
                self.destroy_blob(id, of(input))?;
                done(&of::<u32>(input))
            }
            0xce => done(&self.get_framebuffer2(id, of(input), root)?),
            0xd0 => {
                let wanted: Handle = of(input);
                if wanted.pad != 0 {
                    return Err(Errno::EINVAL);
                }
                self.remove(id, wanted.handle, true, now)?;
                done(&wanted)
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    fn permit(&mut self, id: ClientId, access: Access) -> Result<()> {
        let master = self.master == Some(id);
        let client = self.client(id)?;
        let allowed = match access {
            Access::Render => true,
            Access::Primary => client.node == NodeKind::Primary,
            Access::Authenticated => client.node == NodeKind::Primary && (client.authenticated || master),
            Access::Master => client.node == NodeKind::Primary && master,
        };
        if allowed { Ok(()) } else { Err(Errno::EACCES) }
    }

    fn crtc_exists(&self, id: Id) -> Result<()> {
        self.part(id, object::CRTC).map(drop)
    }

    fn dirty_clips(&mut self, wanted: &DirtyFb, arrays: &mut dyn Arrays, now: u64) -> Result<Progress> {
        /// DRM_MODE_FB_DIRTY_MAX_CLIPS.
        const MAX: u32 = 256;
        let given = wanted.clips_ptr != 0;
        // A list and its length, or neither.
        if given != (wanted.num_clips != 0) || wanted.num_clips > MAX {
            return Err(Errno::EINVAL);
        }
        let clips: Vec<ClipRect> = get(arrays, 0, wanted.num_clips as usize)?;
        let wide = |clip: &ClipRect| ModeRect {
            x1: clip.x1.into(),
            y1: clip.y1.into(),
            x2: clip.x2.into(),
            y2: clip.y2.into(),
        };
        self.dirty(wanted.fb_id, wanted.flags, clips.iter().map(wide).collect(), now)
    }

    fn atomic_request(&mut self, id: ClientId, wanted: &Atomic, arrays: &mut dyn Arrays, now: u64) -> Result<Progress> {
        if wanted.reserved != 0 {
            return Err(Errno::EINVAL);
        }
        let objects: Vec<Id> = get(arrays, 0, wanted.count_objs as usize)?;
        let counts: Vec<u32> = get(arrays, 1, wanted.count_objs as usize)?;
        let total =
            counts.iter().try_fold(0usize, |sum, &count| sum.checked_add(count as usize)).ok_or(Errno::EINVAL)?;
        let properties: Vec<Id> = get(arrays, 2, total)?;
        let values: Vec<u64> = get(arrays, 3, total)?;
        let owners =
            objects.iter().zip(&counts).flat_map(|(&object, &count)| std::iter::repeat_n(object, count as usize));
        let changes: Vec<(Id, Id, u64)> =
            owners.zip(properties).zip(values).map(|((object, property), value)| (object, property, value)).collect();
        self.atomic(id, wanted.flags, &changes, wanted.user_data, now)
    }

    fn create_blob(&mut self, id: ClientId, length: u32, arrays: &mut dyn Arrays) -> Result<Id> {
        if length == 0 {
            return Err(Errno::EINVAL);
        }
        let data: Vec<u8> = get(arrays, 0, length as usize)?;
        self.client(id)?.check_room()?;
        let blob = self.add_blob(data);
        self.client(id)?.blobs.insert(blob);
        Ok(blob)
    }

    fn destroy_blob(&mut self, id: ClientId, blob: Id) -> Result<()> {
        if !self.registry.blobs.contains_key(&blob) {
            return Err(Errno::ENOENT);
        }
        if !self.client(id)?.blobs.remove(&blob) {
            return Err(Errno::EPERM);
        }
        // A state that has it keeps it.
        self.registry.blobs.remove(&blob);
        Ok(())
    }
}

/// Where mmap(2) of the device finds a buffer: offsets are only names, far apart.
pub fn offset_of(buffer: u64) -> u64 {
    buffer << 32
}

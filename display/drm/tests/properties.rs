//! Properties of states, for random ones: what is refused changes nothing, a test has no effect, old calls and atomic ones agree, and no
//! request harms the device.

mod vkms;

use ochre_abi::Errno;
use ochre_drm::property::Property;
use ochre_drm::state::State;
use ochre_drm::uapi::*;
use ochre_drm::{Device, Progress};
use proptest::prelude::*;
use std::sync::Arc;
use vkms::{Lent, Program, Vkms, device};
use zerocopy::IntoBytes;

/// A device with a program that knows atomic commits, two pictures, and a mode as a blob.
struct Scene {
    device: Device<Vkms>,
    program: Program,
    pictures: [u32; 2],
    mode: u32,
    now: u64,
}

fn scene() -> Scene {
    let mut device = device();
    let program = Program::open(&mut device);
    program.ioctl(&mut device, 0x0d, Cap { capability: client_cap::ATOMIC, value: 1 }).unwrap();
    let pictures = [(1024, 768), (64, 64)].map(|(width, height)| {
        let dumb = CreateDumb { width, height, bpp: 32, ..CreateDumb::default() };
        let dumb = program.ioctl(&mut device, 0xb2, dumb).unwrap();
        let format = if width == 64 { ochre_drm::format::ARGB8888 } else { ochre_drm::format::XRGB8888 };
        let (handles, pitches) = ([dumb.handle, 0, 0, 0], [dumb.pitch, 0, 0, 0]);
        let wanted = FbCmd2 { width, height, pixel_format: format, handles, pitches, ..FbCmd2::default() };
        program.ioctl(&mut device, 0xb8, wanted).unwrap().fb_id
    });
    let mode = device.pipeline().connectors[0].display.as_ref().unwrap().modes[0];
    let mut lent = Lent(vec![mode.as_bytes().to_vec()]);
    let wanted = CreateBlob { length: 68, ..CreateBlob::default() };
    let blob = program.with(&mut device, 0xbd, wanted, &mut lent, 0).unwrap().0.blob_id;
    Scene { device, program, pictures, mode: blob, now: 0 }
}

impl Scene {
    /// The changes that show the first picture on the first output.
    fn lit(&self) -> Vec<(u32, u32, u64)> {
        let pipeline = self.device.pipeline();
        let (crtc, connector, plane) = (pipeline.crtcs[0].id, pipeline.connectors[0].id, pipeline.planes[0].id);
        let rest = [
            (Property::Fb, self.pictures[0].into()),
            (Property::PlaneCrtc, crtc.into()),
            (Property::CrtcW, 1024),
            (Property::CrtcH, 768),
            (Property::SrcW, 1024 << 16),
            (Property::SrcH, 768 << 16),
        ];
        let mut changes = vec![
            (crtc, Property::Active.id(), 1),
            (crtc, Property::ModeId.id(), self.mode.into()),
            (connector, Property::ConnectorCrtc.id(), crtc.into()),
        ];
        changes.extend(rest.map(|(property, value)| (plane, property.id(), value)));
        changes
    }

    fn commit(&mut self, flags: u32, changes: &[(u32, u32, u64)]) -> Result<Progress, Errno> {
        // Late enough for whatever was shown before.
        self.now += 1 << 30;
        self.device.tick(self.now);
        self.device.atomic(self.program.id, flags, changes, 0, self.now)
    }
}

/// An object, a property and a value, likely ones among them.
fn change() -> impl Strategy<Value = (usize, u32, u8, u64)> {
    (0..12usize, 0..24u32, 0..8u8, any::<u64>())
}

fn pick(scene: &Scene, (object, property, how, random): (usize, u32, u8, u64)) -> (u32, u32, u64) {
    let pipeline = scene.device.pipeline();
    let objects = pipeline.crtcs.iter().map(|part| part.id);
    let objects =
        objects.chain(pipeline.connectors.iter().map(|part| part.id)).chain(pipeline.planes.iter().map(|part| part.id));
    let objects: Vec<u32> = objects.chain([0, 9999]).collect();
    let value = match how {
        0 => 0,
        1 => 1,
        2 => pipeline.crtcs[random as usize % 2].id.into(),
        3 => scene.pictures[random as usize % 2].into(),
        4 => scene.mode.into(),
        5 => 64,
        6 => 64 << 16,
        _ => random,
    };
    (objects[object % objects.len()], property, value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_is_refused_or_tested_changes_nothing(lit in any::<bool>(), changes in proptest::collection::vec(change(), 1..12)) {
        let mut scene = scene();
        if lit {
            let changes = scene.lit();
            scene.commit(flag::ATOMIC_ALLOW_MODESET, &changes).unwrap();
        }
        let changes: Vec<_> = changes.into_iter().map(|change| pick(&scene, change)).collect();
        let (before, commits) = (scene.device.state().clone(), scene.device.driver().commits);
        let tested = scene.commit(flag::ATOMIC_TEST_ONLY | flag::ATOMIC_ALLOW_MODESET, &changes).map(drop);
        prop_assert_eq!(scene.device.state(), &before);
        prop_assert_eq!(scene.device.driver().commits, commits);
        let made = scene.commit(flag::ATOMIC_ALLOW_MODESET, &changes).map(drop);
        prop_assert_eq!(tested, made, "a test says what a commit does");
        if made.is_err() {
            prop_assert_eq!(scene.device.state(), &before);
            prop_assert_eq!(scene.device.driver().commits, commits);
        } else {
            prop_assert_eq!(scene.device.state().check(scene.device.pipeline()), Ok(()));
        }
    }

    #[test]
    fn a_driver_that_fails_leaves_the_old_state(at_check in any::<bool>(), dark in any::<bool>()) {
        let mut scene = scene();
        let lit = scene.lit();
        if !dark {
            scene.commit(flag::ATOMIC_ALLOW_MODESET, &lit).unwrap();
        }
        let before = scene.device.state().clone();
        if at_check {
            scene.device.driver().check_error = Some(Errno::ENOSPC);
        } else {
            scene.device.driver().commit_error = Some(Errno::EIO);
        }
        let event = flag::PAGE_FLIP_EVENT | flag::ATOMIC_ALLOW_MODESET;
        let error = scene.commit(event, &lit).unwrap_err();
        prop_assert_eq!(error, if at_check { Errno::ENOSPC } else { Errno::EIO });
        prop_assert_eq!(scene.device.state(), &before);
        prop_assert!(!scene.device.is_readable(scene.program.id));
    }

    #[test]
    fn random_requests_do_no_harm(requests in proptest::collection::vec((any::<u8>(), any::<u8>(), proptest::collection::vec(any::<u8>(), 0..128)), 1..60)) {
        let mut scene = scene();
        let lit = scene.lit();
        scene.commit(flag::ATOMIC_ALLOW_MODESET, &lit).unwrap();
        for (nr, size, mut input) in requests {
            // Small numbers are likelier to mean something.
            input.iter_mut().enumerate().filter(|(n, _)| n % 4 != 0).for_each(|(_, byte)| *byte &= 1 & *byte >> 3);
            let request = vkms::number(nr, size.into());
            let mut lent = Lent(vec![vec![1; 64]; 4]);
            scene.now += 1 << 20;
            let _ = scene.program.raw(&mut scene.device, request, &input, &mut lent, scene.now);
            scene.device.tick(scene.now);
            let _ = scene.device.read(scene.program.id, 4096);
            prop_assert_eq!(scene.device.state().check(scene.device.pipeline()), Ok(()), "{:#x}", nr);
        }
        scene.device.close(scene.program.id, scene.now + 1);
        prop_assert_eq!(scene.device.driver().living.load(std::sync::atomic::Ordering::SeqCst), 0);
    }
}

/// A state without what differs between the ways to it: the number of the mode's blob.
fn essence(state: &State) -> State {
    let mut state = state.clone();
    for mode in state.crtcs.iter_mut().filter_map(|crtc| crtc.mode.as_mut()) {
        *mode = Arc::new(ochre_drm::state::Blob { id: 0, data: mode.data.clone() });
    }
    state
}

#[test]
fn old_and_atomic_calls_agree() {
    let mut atomic = scene();
    let lit = atomic.lit();
    atomic.commit(flag::ATOMIC_ALLOW_MODESET, &lit).unwrap();
    let mut old = scene();
    let (crtc_id, connector) = (old.device.pipeline().crtcs[0].id, old.device.pipeline().connectors[0].id);
    let mode = old.device.pipeline().connectors[0].display.as_ref().unwrap().modes[0];
    let wanted = CrtcInfo { crtc_id, fb_id: old.pictures[0], mode_valid: 1, mode, ..CrtcInfo::default() };
    old.device.set_crtc(&wanted, &[connector], 0).unwrap();
    // The buffers are two devices', but numbered alike.
    assert_eq!(essence(old.device.state()), essence(atomic.device.state()));
    old.device.set_property(connector, object::CONNECTOR, Property::Dpms.id(), 3, 1 << 40).unwrap();
    let crtc = atomic.device.pipeline().crtcs[0].id;
    atomic.commit(flag::ATOMIC_ALLOW_MODESET, &[(crtc, Property::Active.id(), 0)]).unwrap();
    assert_eq!(essence(old.device.state()), essence(atomic.device.state()));
}

#[test]
fn a_modeset_must_be_allowed() {
    let mut scene = scene();
    let lit = scene.lit();
    assert_eq!(scene.commit(0, &lit), Err(Errno::EINVAL));
    scene.commit(flag::ATOMIC_ALLOW_MODESET, &lit).unwrap();
    assert!(scene.commit(0, &lit).is_ok(), "the same again is none");
}

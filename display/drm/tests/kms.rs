//! What programs see: modesetting, flips, buffers, rights, lists, and what is left of a client that dies.

mod vkms;

use ochre_abi::Errno;
use ochre_drm::client::NodeKind;
use ochre_drm::format::XRGB8888;
use ochre_drm::uapi::*;
use ochre_drm::{Device, Progress};
use std::sync::atomic::Ordering::SeqCst;
use vkms::{Lent, Program, Vkms, device, number};
use zerocopy::{FromBytes, IntoBytes};

const CREATE_DUMB: u8 = 0xb2;
const ADDFB2: u8 = 0xb8;
const SETCRTC: u8 = 0xa2;
const PAGE_FLIP: u8 = 0xb0;

fn ids(device: &Device<Vkms>) -> (u32, u32, u32) {
    let pipeline = device.pipeline();
    (pipeline.crtcs[0].id, pipeline.connectors[0].id, pipeline.planes[0].id)
}

/// A framebuffer of this size.
fn picture(device: &mut Device<Vkms>, program: &Program, width: u32, height: u32) -> u32 {
    let dumb = CreateDumb { width, height, bpp: 32, ..CreateDumb::default() };
    let dumb = program.ioctl(device, CREATE_DUMB, dumb).expect("a dumb buffer");
    let wanted = FbCmd2 {
        width,
        height,
        pixel_format: XRGB8888,
        handles: [dumb.handle, 0, 0, 0],
        pitches: [dumb.pitch, 0, 0, 0],
        ..FbCmd2::default()
    };
    program.ioctl(device, ADDFB2, wanted).expect("a framebuffer").fb_id
}

fn mode(device: &Device<Vkms>) -> ModeInfo {
    device.pipeline().connectors[0].display.as_ref().expect("a display").modes[0]
}

/// Shows a picture on the first output.
fn show(device: &mut Device<Vkms>, program: &Program, fb_id: u32, now: u64) {
    let (crtc_id, connector, _) = ids(device);
    let mode = mode(device);
    let wanted = CrtcInfo { count_connectors: 1, crtc_id, fb_id, mode_valid: 1, mode, ..CrtcInfo::default() };
    let mut lent = Lent(vec![connector.as_bytes().to_vec()]);
    program.with(device, SETCRTC, wanted, &mut lent, now).expect("SETCRTC");
}

#[test]
fn a_mode_is_set_and_told() {
    let mut device = device();
    let program = Program::open(&mut device);
    let fb = picture(&mut device, &program, 1024, 768);
    show(&mut device, &program, fb, 0);
    let (crtc_id, ..) = ids(&device);
    let told = program.ioctl(&mut device, 0xa1, CrtcInfo { crtc_id, ..CrtcInfo::default() }).unwrap();
    assert_eq!((told.fb_id, told.mode_valid, told.mode), (fb, 1, mode(&device)));
    let small = picture(&mut device, &program, 640, 480);
    let wanted = CrtcInfo { count_connectors: 1, crtc_id, fb_id: small, mode_valid: 1, mode: told.mode, ..told };
    let mut lent = Lent(vec![ids(&device).1.as_bytes().to_vec()]);
    assert_eq!(program.with(&mut device, SETCRTC, wanted, &mut lent, 0).err(), Some(Errno::ENOSPC), "too small");
    let off = CrtcInfo { crtc_id, ..CrtcInfo::default() };
    assert!(matches!(program.with(&mut device, SETCRTC, off, &mut Lent::default(), 1), Ok((_, Progress::Again(_)))));
    program.with(&mut device, SETCRTC, off, &mut Lent::default(), 1 << 40).unwrap();
    assert!(!device.state().crtcs[0].active);
}

#[test]
fn each_flip_is_told_once_at_its_frame() {
    let mut device = device();
    let program = Program::open(&mut device);
    let pictures = [(); 2].map(|()| picture(&mut device, &program, 1024, 768));
    show(&mut device, &program, pictures[0], 0);
    let (crtc_id, ..) = ids(&device);
    let frame = mode(&device).frame_ns();
    // Setting the mode shows with the first frame.
    let mut now = frame;
    device.tick(now);
    let mut last = 0;
    for n in 1..=600u64 {
        now += frame / 3;
        let flip = PageFlip {
            crtc_id,
            fb_id: pictures[n as usize % 2],
            flags: flag::PAGE_FLIP_EVENT,
            target: 0,
            user_data: n,
        };
        program.with(&mut device, PAGE_FLIP, flip, &mut Lent::default(), now).expect("a flip");
        let again = program.with(&mut device, PAGE_FLIP, flip, &mut Lent::default(), now);
        assert_eq!(again.err(), Some(Errno::EBUSY), "one at a time");
        assert_eq!(device.read(program.id, 64), Err(Errno::EAGAIN));
        now = device.deadline().expect("a frame to come");
        assert_eq!(device.tick(now), [program.id]);
        let bytes = device.read(program.id, 1024).expect("an event");
        let event = EventVblank::read_from_bytes(&bytes).expect("one event");
        assert_eq!((event.kind, event.user_data, event.crtc_id), (event::FLIP_COMPLETE, n, crtc_id));
        assert_eq!(u64::from(event.tv_sec) * 1_000_000 + u64::from(event.tv_usec), now / 1000);
        assert_eq!(event.sequence, last + if n == 1 { event.sequence - last } else { 1 }, "no frame is left out");
        last = event.sequence;
    }
}

#[test]
fn a_flip_needs_a_picture_of_the_same_kind() {
    let mut device = device();
    let program = Program::open(&mut device);
    let (crtc_id, ..) = ids(&device);
    let fb_id = picture(&mut device, &program, 1024, 768);
    let flip = PageFlip { crtc_id, fb_id, flags: flag::PAGE_FLIP_EVENT, ..PageFlip::default() };
    assert_eq!(program.ioctl(&mut device, PAGE_FLIP, flip).err(), Some(Errno::EBUSY), "nothing is shown");
    show(&mut device, &program, fb_id, 0);
    let small = picture(&mut device, &program, 640, 480);
    for (wanted, error) in [
        (PageFlip { fb_id: small, ..flip }, Errno::ENOSPC),
        (PageFlip { fb_id: 9999, ..flip }, Errno::ENOENT),
        (PageFlip { crtc_id: 9999, ..flip }, Errno::ENOENT),
        (PageFlip { flags: flag::PAGE_FLIP_ASYNC, ..flip }, Errno::EINVAL),
        (PageFlip { target: 1, ..flip }, Errno::EINVAL),
    ] {
        let result = program.with(&mut device, PAGE_FLIP, wanted, &mut Lent::default(), 1 << 40);
        assert_eq!(result.err(), Some(error), "{wanted:?}");
    }
}

#[test]
fn a_blocking_change_waits_for_the_one_before() {
    let mut device = device();
    let program = Program::open(&mut device);
    let fb = picture(&mut device, &program, 1024, 768);
    show(&mut device, &program, fb, 0);
    program.ioctl(&mut device, 0x0d, Cap { capability: client_cap::ATOMIC, value: 1 }).unwrap();
    let plane = ids(&device).2;
    let property = ochre_drm::property::Property::Fb.id();
    let change = [(plane, property, u64::from(fb))];
    let Ok(Progress::Again(wake)) = device.atomic(program.id, 0, &change, 0, 1) else { panic!("it should wait") };
    assert!(!device.is_over(wake, 1));
    let then = device.wakes_at(wake).expect("a time");
    assert!(device.is_over(wake, then));
    device.tick(then);
    assert!(matches!(device.atomic(program.id, 0, &change, 0, then), Ok(Progress::DoneAt(_))));
    let nonblocking = device.atomic(program.id, flag::ATOMIC_NONBLOCK, &change, 0, then);
    assert_eq!(nonblocking, Err(Errno::EBUSY));
}

#[test]
fn a_client_that_dies_gives_back_all_it_held() {
    let mut device = device();
    let living = device.driver().living.clone();
    let program = Program::open(&mut device);
    let fb = picture(&mut device, &program, 1024, 768);
    picture(&mut device, &program, 64, 64);
    show(&mut device, &program, fb, 0);
    let other = Program::open(&mut device);
    assert_eq!(other.ioctl(&mut device, 0x1e, ()).err(), Some(Errno::EACCES));
    assert_eq!(living.load(SeqCst), 2);
    device.close(program.id, 5);
    assert_eq!(living.load(SeqCst), 0, "its memory is free");
    let state = device.state();
    assert!(state.planes.iter().all(|plane| plane.framebuffer.is_none()) && !state.crtcs[0].active);
    assert_eq!(device.deadline(), None);
    let root = Program { root: true, ..other };
    assert_eq!(root.ioctl(&mut device, 0x1e, ()).err(), None, "the mastership is free, too");
}

#[test]
fn buffers_are_shared_by_descriptors_and_names() {
    let mut device = device();
    let (one, two) = (Program::open(&mut device), Program::open(&mut device));
    let dumb = CreateDumb { width: 8, height: 8, bpp: 32, ..CreateDumb::default() };
    let dumb = one.ioctl(&mut device, CREATE_DUMB, dumb).unwrap();
    let descriptor = device.export(one.id, dumb.handle, 2).unwrap();
    let handle = device.import(two.id, descriptor).unwrap();
    assert_eq!(device.import(one.id, descriptor), Ok(dumb.handle), "its own comes back under its handle");
    assert_eq!(device.buffer(two.id, handle).unwrap(), device.buffer(one.id, dumb.handle).unwrap());
    let foreign = device.import(two.id, 0).unwrap();
    assert_ne!(foreign, handle);
    let name = device.flink(one.id, dumb.handle).unwrap();
    assert_eq!(device.open_name(two.id, name), Ok((handle, dumb.size)));
    assert_eq!(device.export(one.id, 77, 0), Err(Errno::ENOENT));
    one.ioctl(&mut device, 0xb4, dumb.handle).unwrap();
    assert_eq!(one.ioctl(&mut device, 0xb4, dumb.handle).err(), Some(Errno::EINVAL));
}

#[test]
fn framebuffers_must_lie_in_their_memory() {
    let mut device = device();
    let program = Program::open(&mut device);
    let dumb = CreateDumb { width: 64, height: 64, bpp: 32, ..CreateDumb::default() };
    let dumb = program.ioctl(&mut device, CREATE_DUMB, dumb).unwrap();
    let good = FbCmd2 {
        width: 64,
        height: 64,
        pixel_format: XRGB8888,
        handles: [dumb.handle, 0, 0, 0],
        pitches: [dumb.pitch, 0, 0, 0],
        ..FbCmd2::default()
    };
    for (wanted, error) in [
        (FbCmd2 { height: 65, ..good }, Errno::EINVAL),
        (FbCmd2 { pitches: [4, 0, 0, 0], ..good }, Errno::EINVAL),
        (FbCmd2 { pitches: [u32::MAX; 4], ..good }, Errno::EINVAL),
        (FbCmd2 { offsets: [1, 0, 0, 0], ..good }, Errno::EINVAL),
        (FbCmd2 { width: 0, ..good }, Errno::EINVAL),
        (FbCmd2 { width: 1 << 20, ..good }, Errno::EINVAL),
        (FbCmd2 { pixel_format: 0x1234, ..good }, Errno::EINVAL),
        (FbCmd2 { handles: [9, 0, 0, 0], ..good }, Errno::ENOENT),
        (FbCmd2 { handles: [0; 4], ..good }, Errno::EINVAL),
        (FbCmd2 { handles: [dumb.handle, dumb.handle, 0, 0], ..good }, Errno::EINVAL),
        (FbCmd2 { flags: flag::FB_MODIFIERS, modifier: [77, 0, 0, 0], ..good }, Errno::EINVAL),
        (FbCmd2 { flags: 8, ..good }, Errno::EINVAL),
    ] {
        assert_eq!(program.ioctl(&mut device, ADDFB2, wanted).err(), Some(error), "{wanted:?}");
    }
    let fb = program.ioctl(&mut device, ADDFB2, good).unwrap().fb_id;
    let told = program.ioctl(&mut device, 0xad, FbCmd { fb_id: fb, ..FbCmd::default() }).unwrap();
    assert_eq!((told.width, told.bpp, told.depth, told.handle), (64, 32, 24, dumb.handle), "the master gets a handle");
    let other = Program::open(&mut device);
    let told = other.ioctl(&mut device, 0xad, FbCmd { fb_id: fb, ..FbCmd::default() }).unwrap();
    assert_eq!(told.handle, 0, "others do not");
    assert_eq!(other.ioctl(&mut device, 0xaf, fb).err(), Some(Errno::ENOENT), "nor may they remove it");
}

#[test]
fn lists_are_told_by_count_and_then_by_content() {
    let mut device = device();
    let program = Program::open(&mut device);
    let told = program.ioctl(&mut device, 0xa0, CardRes::default()).unwrap();
    assert_eq!((told.count_crtcs, told.count_connectors, told.count_encoders, told.max_width), (2, 2, 2, 4096));
    let mut lent = Lent(vec![vec![], vec![0; 8], vec![0; 8], vec![0; 4]]);
    let room = CardRes { count_crtcs: 2, count_connectors: 2, count_encoders: 1, ..CardRes::default() };
    program.with(&mut device, 0xa0, room, &mut lent, 0).unwrap();
    assert_eq!(lent.0[1], [device.pipeline().crtcs[0].id, device.pipeline().crtcs[1].id].as_bytes());
    let planes = |device: &mut Device<Vkms>| program.ioctl(device, 0xb5, PlaneRes::default()).unwrap().count_planes;
    assert_eq!(planes(&mut device), 1, "overlays only");
    program.ioctl(&mut device, 0x0d, Cap { capability: client_cap::UNIVERSAL_PLANES, value: 1 }).unwrap();
    assert_eq!(planes(&mut device), 5);
    let connector = ConnectorInfo { connector_id: ids(&device).1, ..ConnectorInfo::default() };
    let told = program.ioctl(&mut device, 0xa7, connector).unwrap();
    assert_eq!((told.connection, told.count_encoders, told.count_props), (1, 1, 4));
    let modes = told.count_modes as usize;
    let mut lent = Lent(vec![vec![0; 4], vec![0; modes * size_of::<ModeInfo>()], vec![0; 16], vec![0; 32]]);
    let room = ConnectorInfo { count_modes: told.count_modes, count_props: 4, count_encoders: 1, ..connector };
    program.with(&mut device, 0xa7, room, &mut lent, 0).unwrap();
    assert_eq!(ModeInfo::read_from_bytes(&lent.0[1][..68]).unwrap(), mode(&device));
    program.ioctl(&mut device, 0x0d, Cap { capability: client_cap::ATOMIC, value: 1 }).unwrap();
    let told = program.ioctl(&mut device, 0xa7, connector).unwrap();
    assert_eq!(told.count_props, 5, "CRTC_ID is for those who know atomic commits");
    let absent = ConnectorInfo { connector_id: device.pipeline().connectors[1].id, ..ConnectorInfo::default() };
    assert_eq!(program.ioctl(&mut device, 0xa7, absent).unwrap().connection, 2);
    let faulty = CardRes { count_crtcs: 1, ..CardRes::default() };
    assert_eq!(program.ioctl(&mut device, 0xa0, faulty).err(), Some(Errno::EFAULT), "room that is not there");
}

#[test]
fn rights_are_as_on_linux() {
    let mut device = device();
    let master = Program::open(&mut device);
    let other = Program::open(&mut device);
    let render = Program { id: device.open(NodeKind::Render, 3, 1000), root: false };
    let (crtc_id, ..) = ids(&device);
    let off = CrtcInfo { crtc_id, ..CrtcInfo::default() };
    assert_eq!(other.ioctl(&mut device, SETCRTC, off).err(), Some(Errno::EACCES));
    assert_eq!(render.ioctl(&mut device, 0xa0, CardRes::default()).err(), Some(Errno::EACCES));
    let prime = Cap { capability: cap::PRIME, value: 0 };
    assert_eq!(render.ioctl(&mut device, 0x0c, prime).unwrap().value, 3);
    let dumb = Cap { capability: cap::DUMB_BUFFER, value: 0 };
    assert_eq!(render.ioctl(&mut device, 0x0c, dumb).err(), Some(Errno::EOPNOTSUPP));
    assert_eq!(other.ioctl(&mut device, 0x0a, Handle::default()).err(), Some(Errno::EACCES), "not authenticated");
    let magic = other.ioctl(&mut device, 0x02, 0u32).unwrap();
    master.ioctl(&mut device, 0x11, magic).unwrap();
    assert_eq!(other.ioctl(&mut device, 0x0a, Handle::default()).err(), Some(Errno::ENOENT), "authenticated");
    assert_eq!(master.ioctl(&mut device, 0x11, 999u32).err(), Some(Errno::EINVAL));
    let root = Program { id: other.id, root: true };
    assert_eq!(root.ioctl(&mut device, 0x1e, ()).err(), Some(Errno::EBUSY));
    master.ioctl(&mut device, 0x1f, ()).unwrap();
    assert_eq!(master.ioctl(&mut device, SETCRTC, off).err(), Some(Errno::EACCES));
    root.ioctl(&mut device, 0x1e, ()).unwrap();
    assert_eq!(master.ioctl(&mut device, 0x1e, ()).err(), Some(Errno::EBUSY));
    root.ioctl(&mut device, 0x1f, ()).unwrap();
    assert_eq!(master.ioctl(&mut device, 0x1e, ()).err(), None, "who was it before may be it again");
}

#[test]
fn unread_events_are_bounded() {
    let mut device = device();
    let program = Program::open(&mut device);
    let fb = picture(&mut device, &program, 1024, 768);
    show(&mut device, &program, fb, 0);
    let (crtc_id, ..) = ids(&device);
    let queue = QueueSequence { crtc_id, flags: flag::CRTC_SEQUENCE_RELATIVE, sequence: 1, user_data: 1 };
    let mut made = 0;
    let error = loop {
        match program.ioctl(&mut device, 0x3c, queue) {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((made, error), (128, Errno::ENOMEM));
    device.tick(1 << 40);
    assert_eq!(device.read(program.id, 40).unwrap().len(), 32, "whole events only");
    assert!(program.ioctl(&mut device, 0x3c, queue).is_ok(), "what was read makes room");
}

#[test]
fn structs_of_another_size_are_filled_up_with_zeroes() {
    let mut device = device();
    let program = Program::open(&mut device);
    let capability = cap::PRIME.as_bytes();
    let reply = program.raw(&mut device, number(0x0c, 8), capability, &mut Lent::default(), 0).unwrap();
    assert_eq!(Cap::read_from_bytes(&reply.output).unwrap().value, 3);
    let reply = program.raw(&mut device, number(0x0c, 0), &[], &mut Lent::default(), 0);
    assert_eq!(reply.err(), Some(Errno::EINVAL), "capability 0");
    assert_eq!(program.raw(&mut device, 0x5401, &[], &mut Lent::default(), 0).err(), Some(Errno::ENOTTY));
}

//! The framework against a kernel played by the test.

use crate::*;
use ochre_abi::call::{self, CallerInfo, Completion, SLOTS};
use ochre_rt::OwnedFd;
use ochre_rt::region::Region;
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

/// The kernel's half: what callers asked, and what they got.
#[derive(Default)]
struct State {
    /// Requests to announce, with their payloads.
    waiting: VecDeque<(call::Request, Vec<u8>)>,
    windows: BTreeMap<u64, Vec<u8>>,
    /// By tag: the answer's result and payload.
    answers: BTreeMap<u64, (u8, i64, Vec<u8>)>,
    held: BTreeMap<u64, usize>,
    free: Vec<usize>,
}

#[derive(Clone)]
struct FakeKernel {
    state: Arc<Mutex<State>>,
    region: Arc<Region>,
}

impl FakeKernel {
    fn new() -> Self {
        let state = State { free: (0..SLOTS).collect(), ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), region: Region::on_heap() }
    }

    fn server(&self) -> Server {
        Server::with(Box::new(self.clone()), self.region.clone())
    }

    fn ask(&self, tag: u64, op: u16, args: [u64; 3], payload: &[u8]) {
        self.ask_full(call::Request { tag, op, args, out_len: 4096, handle: 1, ..call::Request::default() }, payload);
    }

    fn ask_full(&self, request: call::Request, payload: &[u8]) {
        let request = call::Request { len: payload.len() as u32, ..request };
        self.state.lock().unwrap().waiting.push_back((request, payload.to_vec()));
    }

    fn finish(&self, state: &mut State, completion: Completion) {
        let kind = (completion.tag >> call::ANSWER_SHIFT) as u8;
        let tag = completion.tag & !(0xff << call::ANSWER_SHIFT);
        let index = state.held.remove(&tag).expect("an answer to a request that is held");
        let slot = self.region.take(index).expect("the server gave the slot up");
        let len = slot.entry().len as usize;
        state.answers.insert(tag, (kind, completion.result, slot.payload()[..len].to_vec()));
        state.free.push(index);
    }

    fn answer(&self, tag: u64) -> Option<(u8, i64, Vec<u8>)> {
        self.state.lock().unwrap().answers.get(&tag).cloned()
    }
}

impl Gate for FakeKernel {
    fn reply_receive(&self, completions: usize, _: u64, _: u64) -> Result<usize> {
        let mut state = self.state.lock().unwrap();
        for index in 0..completions {
            let completion = self.region.completion(index);
            self.finish(&mut state, completion);
        }
        let mut announced = 0;
        while let Some(&index) = state.free.last()
            && let Some((request, payload)) = state.waiting.pop_front()
        {
            state.free.pop();
            let mut slot = self.region.take(index).unwrap();
            slot.set_entry(&request);
            slot.payload_mut()[..payload.len()].copy_from_slice(&payload);
            drop(slot);
            state.held.insert(request.tag, index);
            self.region.announce(index);
            announced += 1;
        }
        Ok(announced)
    }

    fn answer_one(&self, tag: u64, result: i64) -> Result<()> {
        self.finish(&mut self.state.lock().unwrap(), Completion { tag, result });
        Ok(())
    }

    fn window_read(&self, tag: u64, _: u32, offset: u64, local: &mut [u8]) -> Result<usize> {
        let state = self.state.lock().unwrap();
        let rest = state.windows[&tag].get(offset as usize..).unwrap_or(&[]);
        let len = rest.len().min(local.len());
        local[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn window_write(&self, tag: u64, _: u32, offset: u64, local: &[u8]) -> Result<usize> {
        let mut state = self.state.lock().unwrap();
        let rest = state.windows.get_mut(&tag).unwrap().get_mut(offset as usize..).unwrap_or(&mut []);
        let len = rest.len().min(local.len());
        rest[..len].copy_from_slice(&local[..len]);
        Ok(len)
    }

    fn take_fd(&self, _: u64, _: u32) -> Result<OwnedFd> {
        Err(Errno::EMFILE)
    }

    fn caller_info(&self, _: u64) -> Result<CallerInfo> {
        Ok(CallerInfo { pid: 7, ..CallerInfo::default() })
    }

    fn caller_groups(&self, _: u64, groups: &mut [u32]) -> Result<usize> {
        // More than fit at the first try.
        for (group, n) in groups.iter_mut().zip(100..140) {
            *group = n;
        }
        Ok(40)
    }

    fn ready(&self, _: u64, _: u32, _: u32) -> Result<()> {
        Ok(())
    }

    fn attach(&self, _: u64, _: i32, _: u64) -> Result<()> {
        Ok(())
    }

    /// The handles 3, 7 and the last there can be, and nothing parked.
    fn next(&self, next: &mut call::PortNext) -> Result<()> {
        let ids = if next.kind == call::NEXT_HANDLE { &[3, 7, u64::MAX][..] } else { &[] };
        let id = *ids.iter().find(|id| **id >= next.from).ok_or(Errno::ENOENT)?;
        *next = call::PortNext { from: id, key: id, flags: call::OPENED_SEEKABLE, ready: 5, fd: -1, ..*next };
        Ok(())
    }

    fn park(&self, _: u64, _: i32) -> Result<()> {
        Err(Errno::EINVAL)
    }

    fn drop_handle(&self, _: u64) -> Result<()> {
        Err(Errno::EBADF)
    }
}

#[test]
fn an_inheritance_is_listed_whole() {
    let inheritance = crate::inheritance::Inheritance::new(FakeKernel::new().server().port());
    assert_eq!(inheritance.handle_ids(), Ok(vec![3, 7, u64::MAX]));
    assert_eq!(inheritance.free_id(), Ok(u64::MAX));
    let handles = inheritance.handles().unwrap();
    assert!(
        handles
            .iter()
            .all(|handle| handle.flags == call::OPENED_SEEKABLE && handle.ready == 5 && handle.object.is_none())
    );
    assert!(inheritance.parked().unwrap().is_empty() && inheritance.objects().unwrap().is_empty());
}

/// Keeps what is written, gives it back to reads; a read of an empty one waits.
#[derive(Default)]
struct Tank {
    data: Vec<u8>,
    readers: Waiters,
}

impl Scheme for Tank {
    fn open(&mut self, request: &mut Request, _: u32, _: u32) -> Result<Answer> {
        match request.payload() {
            b"elsewhere" => request.redirect(b"/scheme/other/place"),
            b"" => Ok(Answer::opened(1).seekable()),
            _ => Err(Errno::ENOENT),
        }
    }

    fn read(&mut self, request: &mut Request, position: Option<u64>, _: usize) -> Result<Answer> {
        if self.data.is_empty() {
            return self.readers.wait(request);
        }
        request.put(self.data.get(position.unwrap_or(0) as usize..).unwrap_or(&[]))?;
        request.data_answer()
    }

    fn write(&mut self, request: &mut Request, _: Option<u64>, _: usize) -> Result<Answer> {
        let data = request.data(1 << 20)?;
        self.data.extend_from_slice(&data);
        let len = data.len();
        while let Some(mut reader) = self.readers.pop() {
            let put = reader.put(&self.data);
            reader.answer(put.map(Answer::value));
        }
        Ok(Answer::value(len))
    }

    fn cancel(&mut self, tag: u64, _: bool) {
        self.readers.cancel(tag);
    }
}

fn run(kernel: &FakeKernel, scheme: &mut impl Scheme) {
    kernel.server_run(scheme);
}

impl FakeKernel {
    /// Serves until nothing is announced any more. The server starts where the ring stands.
    fn server_run(&self, scheme: &mut impl Scheme) {
        let mut server = self.server();
        server.process_pending(scheme).unwrap();
    }
}

#[test]
fn small_data_goes_through_the_payload_and_large_through_the_window() {
    let kernel = FakeKernel::new();
    let big: Vec<u8> = (0..10_000u32).map(|n| n as u8).collect();
    kernel.state.lock().unwrap().windows.extend([(2, big.clone()), (4, vec![0; 20_000])]);
    kernel.ask(1, call::OP_WRITE, [u64::MAX, 5, 0], b"hello");
    let windowed = call::Request { window_count: 1, handle: 1, ..call::Request::default() };
    kernel.ask_full(call::Request { tag: 2, op: call::OP_WRITE, args: [u64::MAX, 10_000, 0], ..windowed }, b"");
    kernel.ask(3, call::OP_READ, [3, 4, 0], b"");
    kernel.ask_full(call::Request { tag: 4, op: call::OP_READ, args: [0, 20_000, 0], ..windowed }, b"");
    run(&kernel, &mut Tank::default());
    assert_eq!(kernel.answer(1), Some((0, 5, vec![])));
    assert_eq!(kernel.answer(2), Some((0, 10_000, vec![])));
    assert_eq!(kernel.answer(3), Some((0, 4, b"lo\0\x01".to_vec())));
    assert_eq!(kernel.answer(4), Some((0, 10_005, vec![])));
    assert_eq!(kernel.state.lock().unwrap().windows[&4][5..10_005], big);
}

#[test]
fn deferred_requests_are_answered_later_or_cancelled() {
    let kernel = FakeKernel::new();
    kernel.ask(1, call::OP_READ, [0, 9, 0], b"");
    kernel.ask(2, call::OP_READ, [0, 9, 0], b"");
    kernel.ask(3, call::OP_CANCEL, [2, 0, 0], b"");
    kernel.ask(4, call::OP_WRITE, [u64::MAX, 2, 0], b"ok");
    run(&kernel, &mut Tank::default());
    assert_eq!(kernel.answer(1), Some((0, 2, b"ok".to_vec())));
    assert_eq!(kernel.answer(2), Some((0, -4, vec![])));
    assert_eq!(kernel.answer(3), Some((0, 0, vec![])));
}

#[test]
fn a_dropped_request_does_not_hang_its_caller() {
    let kernel = FakeKernel::new();
    kernel.ask(1, call::OP_READ, [0, 9, 0], b"");
    run(&kernel, &mut Tank::default());
    assert_eq!(kernel.answer(1), Some((0, -5, vec![])));
}

#[test]
fn paths_are_found_through_open() {
    let kernel = FakeKernel::new();
    let by_path = |tag, op| call::Request { tag, op, out_len: 144, ..call::Request::default() };
    kernel.ask_full(by_path(1, call::OP_STAT), b"");
    kernel.ask_full(by_path(2, call::OP_STAT), b"nothing");
    kernel.ask_full(by_path(3, call::OP_ACCESS), b"elsewhere");
    kernel.ask_full(by_path(4, call::OP_IOCTL), b"");
    kernel.ask_full(by_path(5, call::OP_PRIVATE), b"");
    run(&kernel, &mut Tank::default());
    assert_eq!(kernel.answer(1).unwrap().2.len(), 144);
    assert_eq!(kernel.answer(2), Some((0, -2, vec![])));
    assert_eq!(kernel.answer(3), Some((call::ANSWER_REDIRECT, 0, b"/scheme/other/place".to_vec())));
    assert_eq!(kernel.answer(4), Some((0, -25, vec![])));
    assert_eq!(kernel.answer(5), Some((0, -38, vec![])));
}

proptest! {
    /// Whatever is asked, every request gets exactly one answer and every slot comes back.
    #[test]
    fn every_request_is_answered_once(requests in proptest::collection::vec(
        (0u16..0x102, any::<[u64; 3]>(), 0usize..64, 0u32..5000), 0..300,
    )) {
        let kernel = FakeKernel::new();
        for (tag, (op, args, len, out_len)) in requests.iter().enumerate() {
            let tag = tag as u64 + 1;
            // A hostile length is bounded by what the kernel lets through; here by the payload.
            let args = if *op == call::OP_WRITE { [args[0], *len as u64, 0] } else { *args };
            let args = if matches!(*op, call::OP_READ | call::OP_GETDENTS) { [args[0], args[1] % 4097, 0] } else { args };
            let request = call::Request { tag, op: *op, args, out_len: (*out_len).min(4096), handle: tag % 3, ..call::Request::default() };
            kernel.ask_full(request, &vec![b'x'; *len]);
        }
        run(&kernel, &mut Tank::default());
        let state = kernel.state.lock().unwrap();
        prop_assert_eq!(state.answers.len(), requests.len());
        prop_assert_eq!(state.free.len(), SLOTS);
    }
}

//! A port outlives its server: a server is killed 100 times while clients use its handles, and no handle is lost. What the kernel serves by
//! itself goes on meanwhile; at last the name is given up, and the handles die.

use native_tests::{Result, check, report, start_self};
use ochre_rt::call::Call;
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::call::OP_PRIVATE;
use ochre_scheme::abi::event::{EPOLLERR, EPOLLHUP, PollFd};
use ochre_scheme::abi::file::{AT_FDCWD, O_CLOEXEC, O_RDWR};
use ochre_scheme::{Answer, Errno, Inheritance, Op, Request, Scheme, Server};
use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

const NAME: &str = "portkeep";
const ROUNDS: usize = 100;
/// Handles that are open all the time.
const HANDLES: usize = 40;
const PAGES: u64 = 64;
const PAGE: u64 = 4096;
/// What a test's server is asked: the number that its handle was opened with; how many handles it knows; to evict what it pages.
const NUMBER: u16 = OP_PRIVATE;
const COUNT: u16 = OP_PRIVATE + 1;
const EVICT: u16 = OP_PRIVATE + 2;
/// Where the table of handles is parked: u64s, by id.
const TABLE: u64 = 1;
const TABLE_LEN: u64 = 1 << 20;
const COOKIE: u64 = 77;
/// Memory that may be missing in the end: what allocators and lists keep.
const SLACK: u64 = 512 << 10;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--serve") {
        return report("serve", serve());
    }
    report("portkeep", run())
}

fn fd(result: ochre_scheme::Result<i32>) -> ochre_scheme::Result<OwnedFd> {
    result.map(OwnedFd::new)
}

/// The byte at an offset of the paged and the attached objects.
fn pattern(offset: u64) -> u8 {
    (offset / PAGE * 31 + offset % 251) as u8
}

/// Handles with numbers, kept in a parked table.
struct Keeper {
    table: OwnedFd,
    known: HashMap<u64, u64>,
    next: u64,
    paged: OwnedFd,
    attached: OwnedFd,
}

impl Keeper {
    fn new(server: &Server, inheritance: &Inheritance) -> ochre_scheme::Result<Keeper> {
        let port = server.port();
        let mut parked: HashMap<u64, OwnedFd> = inheritance.parked()?.into_iter().collect();
        let table = match parked.remove(&TABLE) {
            Some(table) => table,
            None => {
                let table = fd(syscall::object_create(TABLE_LEN, 0))?;
                port.park(TABLE, table.get())?;
                table
            }
        };
        let mut known = HashMap::new();
        for id in inheritance.handle_ids()? {
            let mut number = [0; 8];
            syscall::pread(table.get(), &mut number, id % (TABLE_LEN / 8) * 8)?;
            known.insert(id, u64::from_le_bytes(number));
        }
        let paged = match inheritance.objects()?.into_iter().find(|(cookie, _)| *cookie == COOKIE) {
            Some((_, paged)) => paged,
            None => {
                let paged = fd(syscall::object_create(PAGES * PAGE, 0))?;
                syscall::object_pager(paged.get(), server.fd(), COOKIE)?;
                paged
            }
        };
        let attached = fd(syscall::object_create(PAGES * PAGE, 0))?;
        let bytes: Vec<u8> = (0..PAGES * PAGE).map(pattern).collect();
        syscall::pwrite(attached.get(), &bytes, 0)?;
        Ok(Keeper { table, known, next: inheritance.free_id()?, paged, attached })
    }
}

impl Scheme for Keeper {
    fn open(&mut self, request: &mut Request, _flags: u32, _mode: u32) -> ochre_scheme::Result<Answer> {
        let id = self.next;
        let name = request.payload();
        let object = match name {
            b"paged" => Some(self.paged.get()),
            b"attached" => Some(self.attached.get()),
            _ => None,
        };
        let number: u64 = str::from_utf8(name).ok().and_then(|name| name.parse().ok()).unwrap_or(0);
        syscall::pwrite(self.table.get(), &number.to_le_bytes(), id % (TABLE_LEN / 8) * 8)?;
        self.next += 1;
        self.known.insert(id, number);
        let answer = Answer::opened(id).repeatable();
        Ok(match object {
            Some(object) => answer.seekable().attach(object, PAGES * PAGE),
            None => answer,
        })
    }

    fn close(&mut self, handle: u64) {
        self.known.remove(&handle);
    }

    fn read(&mut self, request: &mut Request, _: Option<u64>, _len: usize) -> ochre_scheme::Result<Answer> {
        let number = self.known.get(&request.handle()).ok_or(Errno::EBADF)?;
        request.put(&number.to_le_bytes())?;
        request.data_answer()
    }

    fn other(&mut self, request: &mut Request, op: Op) -> ochre_scheme::Result<Answer> {
        match op {
            Op::Private { op: NUMBER, .. } => {
                let number = self.known.get(&request.handle()).ok_or(Errno::EBADF)?;
                Ok(Answer::value(*number as usize))
            }
            Op::Private { op: COUNT, .. } => Ok(Answer::value(self.known.len())),
            Op::Private { op: EVICT, .. } => {
                syscall::object_evict(self.paged.get(), 0, PAGES * PAGE).map(Answer::value)
            }
            Op::PageIn { cookie: COOKIE, offset, len } => {
                let bytes: Vec<u8> = (offset..offset + len).map(pattern).collect();
                syscall::object_supply(self.paged.get(), offset, &bytes, 0)?;
                Ok(Answer::done())
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

fn serve() -> Result<()> {
    let (mut server, inheritance) = Server::register_keeping(NAME)?;
    let mut keeper = Keeper::new(&server, &inheritance)?;
    ochre_scheme::ready();
    server.run(&mut keeper)?;
    Ok(())
}

fn open(name: &str) -> ochre_scheme::Result<OwnedFd> {
    fd(syscall::openat(AT_FDCWD, format!("/scheme/{NAME}/{name}").as_bytes(), O_RDWR | O_CLOEXEC, 0))
}

/// Asks again as long as the server ends meanwhile.
fn insist<T>(mut what: impl FnMut() -> ochre_scheme::Result<T>) -> ochre_scheme::Result<T> {
    loop {
        match what() {
            Err(Errno::EIO) => {}
            result => return result,
        }
    }
}

fn ask(handle: &OwnedFd, op: u16) -> ochre_scheme::Result<usize> {
    Call::new(op, [0; 3]).send(handle.get())
}

#[derive(Default)]
struct Progress {
    stop: AtomicBool,
    calls: AtomicU64,
    reads: AtomicU64,
    opens: AtomicU64,
    attached: AtomicU64,
    paged: AtomicU64,
}

impl Progress {
    /// Does something again and again until all is over.
    fn keep_on(&self, count: &AtomicU64, mut what: impl FnMut(u64) -> Result<()>) -> std::result::Result<(), String> {
        let mut n = 0;
        while !self.stop.load(SeqCst) {
            what(n).map_err(|error| error.to_string())?;
            count.fetch_add(1, SeqCst);
            n += 1;
        }
        Ok(())
    }
}

fn check_bytes(fd: &OwnedFd, n: u64) -> Result<()> {
    let offset = n * 7919 % (PAGES * PAGE - 100);
    let mut bytes = [0; 100];
    let read = syscall::pread(fd.get(), &mut bytes, offset);
    check(read == Ok(100), format!("reading at {offset}: {read:?}"))?;
    check(bytes.iter().zip(offset..).all(|(byte, at)| *byte == pattern(at)), format!("wrong bytes at {offset}"))
}

/// Kills the server again and again under its users.
fn storm(handles: &[OwnedFd], attached: &OwnedFd, paged: &OwnedFd) -> Result<()> {
    let progress = Progress::default();
    let mut server = start_self(&["--serve"])?;
    let mut meanwhile = 0;
    let result = std::thread::scope(|scope| -> Result<()> {
        let callers = scope.spawn(|| {
            progress.keep_on(&progress.calls, |n| {
                let number = n as usize % HANDLES;
                let got = insist(|| ask(&handles[number], NUMBER));
                check(got == Ok(number + 1), format!("handle {number}: {got:?}"))
            })
        });
        let readers = scope.spawn(|| {
            progress.keep_on(&progress.reads, |n| {
                let number = n as usize % HANDLES;
                let mut bytes = [0; 8];
                let got = syscall::read(handles[number].get(), &mut bytes).map(|_| u64::from_le_bytes(bytes));
                check(got == Ok(number as u64 + 1), format!("a read that can be repeated, {number}: {got:?}"))
            })
        });
        let openers = scope.spawn(|| {
            progress.keep_on(&progress.opens, |n| {
                let handle = insist(|| open(&n.to_string()))?;
                let got = insist(|| ask(&handle, NUMBER));
                check(got == Ok(n as usize), format!("a new handle {n}: {got:?}"))
            })
        });
        let mappers = scope.spawn(|| progress.keep_on(&progress.attached, |n| check_bytes(attached, n)));
        let pagers = scope.spawn(|| {
            progress.keep_on(&progress.paged, |n| {
                if n % 50 == 0 {
                    insist(|| ask(paged, EVICT))?;
                }
                check_bytes(paged, n)
            })
        });
        let killed = (|| -> Result<()> {
            for round in 0..ROUNDS {
                let before = progress.calls.load(SeqCst) + progress.opens.load(SeqCst);
                let started = Instant::now();
                while progress.calls.load(SeqCst) + progress.opens.load(SeqCst) < before + 20 {
                    check(started.elapsed() < Duration::from_secs(20), format!("nothing goes on in round {round}"))?;
                    std::thread::sleep(Duration::from_millis(1));
                }
                server.kill()?;
                server.wait()?;
                let reads = progress.attached.load(SeqCst);
                server = start_self(&["--serve"])?;
                meanwhile += progress.attached.load(SeqCst) - reads;
            }
            Ok(())
        })();
        progress.stop.store(true, SeqCst);
        if killed.is_err() {
            // Who waits for a server gets an end.
            syscall::scheme_reserve(NAME.as_bytes(), 0)?;
            server.kill()?;
        }
        for (what, thread) in
            [("calls", callers), ("reads", readers), ("opens", openers), ("attached", mappers), ("paged", pagers)]
        {
            thread.join().map_err(|_| "a thread panicked")?.map_err(|error| format!("{what}: {error}"))?;
        }
        killed
    });
    let known = result.and_then(|()| Ok(ask(attached, COUNT)?));
    server.kill()?;
    server.wait()?;
    let known = known?;
    check(known == HANDLES + 2, format!("the server knows {known} handles"))?;
    check(meanwhile > 0, "attached objects were not read while the server was gone")?;
    println!("attached objects were read {meanwhile} times while there was no server");
    Ok(())
}

fn free() -> Result<u64> {
    let text = std::fs::read_to_string("/scheme/sys/memory")?;
    let number = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    Ok(number("free_frames").ok_or("free_frames is missing")? * PAGE)
}

/// The name is given up: handles die, what the kernel has of them remains, the name is free.
fn give_up(handles: &[OwnedFd], attached: &OwnedFd) -> Result<()> {
    check_bytes(attached, 1)?;
    let mut poll = [PollFd { fd: handles[0].get(), events: 0, revents: 0 }];
    check(syscall::poll(&mut poll, 0, None) == Ok(0), "a handle hangs up while its server is awaited")?;
    std::thread::scope(|scope| -> Result<()> {
        let waits = scope.spawn(|| ask(&handles[1], NUMBER));
        std::thread::sleep(Duration::from_millis(50));
        check(!waits.is_finished(), "a call does not wait for the next server")?;
        syscall::scheme_reserve(NAME.as_bytes(), 0)?;
        let got = waits.join().map_err(|_| "a thread panicked")?;
        check(got == Err(Errno::EIO), format!("a call that waited in vain: {got:?}"))
    })?;
    check(syscall::poll(&mut poll, 0, None) == Ok(1), "a handle does not hang up when its name is given up")?;
    let hung_up = poll[0].revents as u32 & (EPOLLHUP | EPOLLERR);
    check(hung_up == EPOLLHUP | EPOLLERR, format!("poll tells {:x}", poll[0].revents))?;
    check_bytes(attached, 2)?;
    let opened = open("1").map(drop);
    check(opened == Err(Errno::ENOENT), format!("the name is not free: {opened:?}"))
}

/// One life of the port, from its first server to the end of its name.
fn life() -> Result<()> {
    syscall::scheme_reserve(NAME.as_bytes(), 1)?;
    let mut first = start_self(&["--serve"])?;
    let handles = (0..HANDLES).map(|n| open(&(n + 1).to_string())).collect::<ochre_scheme::Result<Vec<_>>>()?;
    let (attached, paged) = (open("attached")?, open("paged")?);
    let second = start_self(&["--serve"]);
    check(second.is_err(), "two servers at a time")?;
    first.kill()?;
    first.wait()?;
    storm(&handles, &attached, &paged)?;
    give_up(&handles, &attached)
}

fn run() -> Result<()> {
    // The first time warms up what the system keeps.
    life()?;
    let before = free()?;
    life()?;
    let settled = Instant::now();
    while free()? + SLACK < before {
        check(settled.elapsed() < Duration::from_secs(5), format!("{} of {before} bytes came back", free()?))?;
        std::thread::sleep(Duration::from_millis(10));
    }
    // A server that takes nothing over ends what waits.
    syscall::scheme_reserve(NAME.as_bytes(), 1)?;
    let mut server = start_self(&["--serve"])?;
    let handle = open("5")?;
    server.kill()?;
    server.wait()?;
    let other = Server::register(NAME)?;
    check(ask(&handle, NUMBER) == Err(Errno::EIO), "a handle lives on with a server that does not know it")?;
    drop(other);
    syscall::scheme_reserve(NAME.as_bytes(), 0)?;
    Ok(())
}

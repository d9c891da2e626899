//! The loop: receives requests, has them handled, sends answers.

use crate::gate::{Gate, KernelGate};
use crate::inheritance::Inheritance;
use crate::request::Request;
use crate::scheme::Scheme;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use ochre_abi::call::SLOTS;
use ochre_abi::file::O_CLOEXEC;
use ochre_abi::syscall::{FOREVER, RECEIVE_NOWAIT, SCHEME_KEEPS};
use ochre_abi::{Errno, Result};
use ochre_rt::region::Region;
use ochre_rt::{OwnedFd, syscall};

/// A port as its requests and other threads of the server see it; cheap to clone.
#[derive(Clone)]
pub struct Port {
    gate: Arc<dyn Gate>,
}

impl Port {
    pub(crate) fn gate(&self) -> &dyn Gate {
        &*self.gate
    }

    /// Sets and clears readiness bits (EPOLLIN and so on) of a handle.
    pub fn set_ready(&self, handle: u64, set: u32, clear: u32) -> Result<()> {
        self.gate.ready(handle, set, clear)
    }

    /// Callers that were told to wait on a handle ([`crate::Answer::wait`]) ask again.
    pub fn retry(&self, handle: u64) -> Result<()> {
        self.gate.ready(handle, ochre_abi::call::READY_RETRY, 0)
    }

    /// From now on the server is told of every close of a descriptor of a handle ([`crate::Op::Flush`]).
    pub fn flush(&self, handle: u64) -> Result<()> {
        self.gate.ready(handle, ochre_abi::call::READY_FLUSH, 0)
    }

    /// From now on reads and writes of a handle come to the server, whatever is attached.
    pub fn tell(&self, handle: u64) -> Result<()> {
        self.gate.ready(handle, ochre_abi::call::READY_TELL, 0)
    }

    /// Is done with a handle that is still open: EIO for its users, and no close will come. EBADF: there is no such handle.
    pub fn drop_handle(&self, handle: u64) -> Result<()> {
        self.gate.drop_handle(handle)
    }

    /// Keeps a memory object under a key at a port that outlives its server ([`crate::Inheritance::parked`]), instead of what is there.
    /// EINVAL: the descriptor is not a memory object's; ENOMEM.
    pub fn park(&self, key: u64, object: i32) -> Result<()> {
        self.gate.park(key, object)
    }

    /// Takes away what is parked under a key; ENOENT.
    pub fn unpark(&self, key: u64) -> Result<()> {
        self.gate.park(key, -1)
    }

    /// From now on reads and maps of a handle are served from a memory object (`None`: by requests).
    pub fn attach(&self, handle: u64, object: Option<(i32, u64)>) -> Result<()> {
        let (fd, size) = object.unwrap_or((-1, 0));
        self.gate.attach(handle, fd, size)
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Port")
    }
}

/// A port with its region. One thread runs it.
pub struct Server {
    port: Port,
    region: Arc<Region>,
    fd: i32,
    /// Requests taken from the ring so far.
    seen: u32,
    /// Completions that the next REPLY_RECEIVE passes.
    answers: usize,
}

impl Server {
    /// A port without a name; [`Self::serve`] gives it some.
    pub fn new() -> Result<Self> {
        Self::of(OwnedFd::new(syscall::port_create(O_CLOEXEC)?))
    }

    fn of(fd: OwnedFd) -> Result<Self> {
        let region = Region::map(fd.get())?;
        let number = fd.get();
        Ok(Self { fd: number, ..Self::with(Box::new(KernelGate(fd)), region) })
    }

    /// A port that serves /scheme/NAME, and outlives this server while the name is reserved (init does that for its services): the next
    /// one takes it over by calling this, and finds what is there in the [`Inheritance`]. A server that does without a predecessor's
    /// handles drops them. EPERM without RIGHT_SCHEME; EEXIST while another server has the name.
    pub fn register_keeping(name: &str) -> Result<(Self, Inheritance)> {
        let server = match syscall::port_adopt(name.as_bytes(), O_CLOEXEC) {
            Ok(fd) => Self::of(OwnedFd::new(fd))?,
            Err(Errno::ENOENT) => {
                let server = Self::new()?;
                syscall::scheme_register(name.as_bytes(), server.fd, SCHEME_KEEPS)?;
                server
            }
            Err(error) => return Err(error),
        };
        let inheritance = Inheritance::new(server.port());
        Ok((server, inheritance))
    }

    /// A port that serves /scheme/NAME. EPERM without RIGHT_SCHEME; EEXIST while another server has the name.
    pub fn register(name: &str) -> Result<Self> {
        let server = Self::new()?;
        server.serve(name)?;
        Ok(server)
    }

    /// A server over another kernel: a test's.
    pub fn with(gate: Box<dyn Gate>, region: Arc<Region>) -> Self {
        Self { port: Port { gate: gate.into() }, region, fd: -1, seen: 0, answers: 0 }
    }

    /// Serves /scheme/NAME from this port, too.
    pub fn serve(&self, name: &str) -> Result<()> {
        syscall::scheme_register(name.as_bytes(), self.fd, 0)
    }

    /// The port's descriptor, which is readable (poll, epoll) while requests wait.
    pub fn fd(&self) -> i32 {
        self.fd
    }

    /// For setting readiness and attaching objects, also from other threads.
    pub fn port(&self) -> Port {
        self.port.clone()
    }

    /// Serves for ever; returns if the port fails.
    pub fn run(&mut self, scheme: &mut impl Scheme) -> Result<()> {
        loop {
            self.step(scheme, 0, FOREVER)?;
        }
    }

    /// Handles what is announced, without waiting, and sends the answers: for servers with an event loop of their own.
    /// How many requests were handled.
    pub fn process_pending(&mut self, scheme: &mut impl Scheme) -> Result<usize> {
        let mut total = 0;
        loop {
            let handled = self.step(scheme, RECEIVE_NOWAIT, 0)?;
            total += handled;
            if handled == 0 {
                return Ok(total);
            }
        }
    }

    /// Sends the answers that are due, waits up to `timeout` ns for requests and handles them; how many.
    pub fn process(&mut self, scheme: &mut impl Scheme, timeout: u64) -> Result<usize> {
        self.step(scheme, 0, timeout)
    }

    fn step(&mut self, scheme: &mut impl Scheme, flags: u64, timeout: u64) -> Result<usize> {
        // The kernel takes the answers first, even if a signal then ends the wait.
        let received = self.port.gate.reply_receive(core::mem::take(&mut self.answers), flags, timeout);
        match received {
            Ok(_) | Err(Errno::EINTR) => Ok(self.drain(scheme)),
            Err(error) => Err(error),
        }
    }

    /// Handles all requests announced by now; their answers stand in the region for the next REPLY_RECEIVE.
    fn drain(&mut self, scheme: &mut impl Scheme) -> usize {
        let announced = self.region.submitted();
        // There are never more than that; were the counter wrong, the slots would not be free to take.
        let count = (announced.wrapping_sub(self.seen) as usize).min(SLOTS);
        for _ in 0..count {
            let slot = self.region.take(self.region.announced(self.seen));
            self.seen = self.seen.wrapping_add(1);
            let Some(slot) = slot else { continue };
            let mut request = Request::new(slot, self.port.clone());
            let answer = scheme.handle(&mut request);
            if let Some(completion) = request.finish(answer) {
                self.region.set_completion(self.answers, completion);
                self.answers += 1;
            }
        }
        count
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("fd", &self.fd).finish_non_exhaustive()
    }
}

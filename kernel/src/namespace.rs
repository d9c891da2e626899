//! Namespaces and the registry of schemes.

use crate::file::{File, Object};
use crate::port::Port;
use crate::schemes::KernelScheme;
use crate::thread::Thread;
use crate::user;
use crate::wait::WaitQueue;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hal::{Once, SpinLock};
use ochre_abi::file::{O_CLOEXEC, O_RDONLY};
use ochre_abi::process::{RIGHT_NAMESPACE, RIGHT_SCHEME};
use ochre_abi::syscall::SCHEME_KEEPS;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;
use ochre_logic::path::{Prefixes, normalize};

/// What a path prefix is bound to.
#[derive(Clone)]
pub enum Target {
    /// One scheme, and the path in it that the prefix stands for (empty: its root).
    Scheme(Arc<SchemeEntry>, Arc<[u8]>),
    /// `/scheme`: the next component names the scheme.
    Schemes,
}

/// The paths that a process can open, shared with its children until one gives some up.
pub struct Namespace {
    /// Prefixes and what they lead to.
    pub prefixes: Prefixes<Target>,
}

impl Namespace {
    /// Opens nothing.
    pub fn null() -> Arc<Namespace> {
        static NULL: Once<Arc<Namespace>> = Once::new();
        match NULL.get() {
            Some(null) => null.clone(),
            None => {
                let null = Arc::new(Namespace { prefixes: Prefixes::new() });
                // Another CPU may have been first; either one will do.
                let _ = NULL.set(null.clone());
                null
            }
        }
    }

    /// The first process's: every scheme under `/scheme`.
    pub fn root() -> Arc<Namespace> {
        let mut prefixes = Prefixes::new();
        prefixes.bind(b"/scheme", Target::Schemes);
        Arc::new(Namespace { prefixes })
    }
}

/// What a descriptor of a namespace refers to (NS_OPEN).
struct NamespaceFile(Arc<Namespace>);

impl Object for NamespaceFile {
    fn kind(&self) -> &'static str {
        "namespace"
    }
}

/// A scheme's name, and who serves it.
pub struct SchemeEntry {
    /// The name.
    pub name: Box<[u8]>,
    /// The kernel itself serves it.
    pub(crate) kernel: Option<&'static dyn KernelScheme>,
    state: SpinLock<State>,
    changed: WaitQueue,
}

struct State {
    port: Option<Arc<Port>>,
    reserved: bool,
}

impl SchemeEntry {
    /// The port that serves it. While the name is reserved for a server that is not there, this waits (EINTR); else ENOENT.
    pub fn port(&self) -> Result<Arc<Port>> {
        self.changed.wait_until(None, || {
            let state = self.state.lock();
            match (&state.port, state.reserved) {
                (Some(port), _) => Some(Ok(port.clone())),
                (None, true) => None,
                (None, false) => Some(Err(Errno::ENOENT)),
            }
        })?
    }

    /// The port, if somebody serves it now.
    pub fn current_port(&self) -> Option<Arc<Port>> {
        self.state.lock().port.clone()
    }

    /// The name stays when its server goes.
    pub fn is_reserved(&self) -> bool {
        self.state.lock().reserved
    }

    /// `port` died.
    pub(crate) fn server_gone(&self, port: &Port) {
        let mut state = self.state.lock();
        let gone = match &state.port {
            Some(current) if core::ptr::eq(&**current, port) => state.port.take(),
            _ => None,
        };
        drop(state);
        drop(gone);
        self.changed.wake_all();
    }
}

static SCHEMES: SpinLock<BTreeMap<Box<[u8]>, Arc<SchemeEntry>>> = SpinLock::new(BTreeMap::new());

/// Every scheme name that userland ever registered, bound or reserved.
pub fn schemes() -> Vec<Arc<SchemeEntry>> {
    SCHEMES.lock().values().cloned().collect()
}

/// The entry of a scheme name, if there is one.
pub fn find(name: &[u8]) -> Option<Arc<SchemeEntry>> {
    SCHEMES.lock().get(name).cloned()
}

/// The entry of a scheme name, made if need be.
fn entry(name: &[u8]) -> Arc<SchemeEntry> {
    SCHEMES
        .lock()
        .entry(name.into())
        .or_insert_with(|| {
            Arc::new(SchemeEntry {
                name: name.into(),
                kernel: crate::schemes::find(name),
                state: SpinLock::new(State { port: None, reserved: false }),
                changed: WaitQueue::new(),
            })
        })
        .clone()
}

/// A name of letters, digits, `.`, `_`, `-`, 1 to 64 bytes; EINVAL.
pub(crate) fn read_name(addr: u64, len: u64) -> Result<Vec<u8>> {
    if len == 0 || len > 64 {
        return Err(Errno::EINVAL);
    }
    let mut name = alloc::vec![0; len as usize];
    user::copy_in(&mut name, addr)?;
    if is_name(&name) { Ok(name) } else { Err(Errno::EINVAL) }
}

fn is_name(name: &[u8]) -> bool {
    (1..=64).contains(&name.len()) && name.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b))
}

/// SCHEME_REGISTER.
pub fn scheme_register(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.need_right(RIGHT_SCHEME)?;
    let name = read_name(a[0], a[1])?;
    let file = me.process.file(a[2] as i32)?;
    let port = file.object::<crate::port::PortEnd>().ok_or(Errno::EINVAL)?.port.clone();
    if a[3] & !SCHEME_KEEPS != 0 {
        return Err(Errno::EINVAL);
    }
    if crate::schemes::find(&name).is_some() {
        return Err(Errno::EEXIST);
    }
    let entry = entry(&name);
    loop {
        let mut state = entry.state.lock();
        let current = match &state.port {
            None => {
                state.port = Some(port.clone());
                break;
            }
            Some(current) => current.clone(),
        };
        drop(state);
        // It may be this one, which the server took over; or one that waits for a server that takes it over, and this one does not.
        if Arc::ptr_eq(&current, &port) {
            break;
        }
        if !current.make_room() {
            return Err(Errno::EEXIST);
        }
    }
    port.serves(entry.clone(), a[3] & SCHEME_KEEPS != 0);
    entry.changed.wake_all();
    Ok(0)
}

/// SCHEME_RESERVE.
pub fn scheme_reserve(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.need_right(RIGHT_SCHEME)?;
    let name = read_name(a[0], a[1])?;
    let entry = entry(&name);
    let port = {
        let mut state = entry.state.lock();
        state.reserved = a[2] != 0;
        state.port.clone()
    };
    entry.changed.wake_all();
    if let (Some(port), 0) = (port, a[2]) {
        port.name_given_up(&entry);
    }
    Ok(0)
}

/// NS_BIND.
pub fn ns_bind(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.need_right(RIGHT_NAMESPACE)?;
    let prefix = crate::open::read_path(a[0], a[1])?;
    if prefix.first() != Some(&b'/') {
        return Err(Errno::EINVAL);
    }
    let target = crate::open::read_path(a[2], a[3])?;
    let mut parts = target.splitn(2, |byte| *byte == b'/');
    let name = parts.next().filter(|name| is_name(name)).ok_or(Errno::EINVAL)?;
    let below = normalize(parts.next().unwrap_or_default());
    let mut prefixes = me.process.namespace().prefixes.clone();
    prefixes.bind(&prefix, Target::Scheme(entry(name), below[1..].into()));
    me.process.set_namespace(Arc::new(Namespace { prefixes }));
    Ok(0)
}

/// NS_RESTRICT.
pub fn ns_restrict(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if a[1] == 0 {
        me.process.set_namespace(Namespace::null());
        return Ok(0);
    }
    if a[1] > 65_536 {
        return Err(Errno::E2BIG);
    }
    let mut list = alloc::vec![0; a[1] as usize];
    user::copy_in(&mut list, a[0])?;
    let keep: Vec<Vec<u8>> = list.split(|b| *b == 0).filter(|p| !p.is_empty()).map(normalize).collect();
    let mut prefixes = me.process.namespace().prefixes.clone();
    prefixes.restrict(&keep);
    me.process.set_namespace(Arc::new(Namespace { prefixes }));
    Ok(0)
}

/// NS_OPEN.
pub fn ns_open(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.need_right(RIGHT_NAMESPACE)?;
    if !hal::mem::has_room() {
        return Err(Errno::ENOMEM);
    }
    let file = File::new(Arc::new(NamespaceFile(me.process.namespace())), O_RDONLY);
    Ok(me.process.install(file, a[0] & u64::from(O_CLOEXEC) != 0)? as usize)
}

/// NS_ENTER.
pub fn ns_enter(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.need_right(RIGHT_NAMESPACE)?;
    let file = me.process.file(a[0] as i32)?;
    let namespace = file.object::<NamespaceFile>().ok_or(Errno::EINVAL)?.0.clone();
    me.process.set_namespace(namespace);
    Ok(0)
}

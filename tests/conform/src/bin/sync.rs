//! What threads wait on, beside mutexes: condition variables with either clock, read-write locks, barriers, semaphores, spin locks, keys.

use libc::*;
use std::mem::zeroed;
use std::ptr::{self, null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};

type Start = extern "C" fn(*mut c_void) -> *mut c_void;

unsafe extern "C" {
    fn pthread_condattr_getclock(attr: *const pthread_condattr_t, clock: *mut clockid_t) -> c_int;
    fn pthread_condattr_getpshared(attr: *const pthread_condattr_t, shared: *mut c_int) -> c_int;
    fn pthread_cond_clockwait(
        c: *mut pthread_cond_t,
        m: *mut pthread_mutex_t,
        k: clockid_t,
        t: *const timespec,
    ) -> c_int;
    fn pthread_rwlock_timedrdlock(lock: *mut pthread_rwlock_t, deadline: *const timespec) -> c_int;
    fn pthread_rwlock_timedwrlock(lock: *mut pthread_rwlock_t, deadline: *const timespec) -> c_int;
    fn sem_clockwait(sem: *mut sem_t, clock: clockid_t, deadline: *const timespec) -> c_int;
    fn pthread_attr_setinheritsched(attr: *mut pthread_attr_t, inherit: c_int) -> c_int;
    fn pthread_attr_getinheritsched(attr: *const pthread_attr_t, inherit: *mut c_int) -> c_int;
    fn pthread_attr_setscope(attr: *mut pthread_attr_t, scope: c_int) -> c_int;
    fn pthread_attr_getscope(attr: *const pthread_attr_t, scope: *mut c_int) -> c_int;
    fn pthread_attr_setstack(attr: *mut pthread_attr_t, start: *mut c_void, size: size_t) -> c_int;
    fn pthread_attr_getstack(attr: *const pthread_attr_t, start: *mut *mut c_void, size: *mut size_t) -> c_int;
    fn pthread_attr_getguardsize(attr: *const pthread_attr_t, size: *mut size_t) -> c_int;
    fn pthread_attr_getdetachstate(attr: *const pthread_attr_t, state: *mut c_int) -> c_int;
    fn pthread_attr_getstacksize(attr: *const pthread_attr_t, size: *mut size_t) -> c_int;
    fn pthread_equal(a: pthread_t, b: pthread_t) -> c_int;
    fn __register_atfork(
        a: Option<extern "C" fn()>,
        b: Option<extern "C" fn()>,
        c: Option<extern "C" fn()>,
        d: *mut c_void,
    ) -> c_int;
}

fn start(function: Start, arg: *mut c_void) -> pthread_t {
    let mut thread = 0;
    // SAFETY: a C function with this type; the argument outlives the thread.
    let function = unsafe { std::mem::transmute::<Start, extern "C" fn(*mut c_void) -> *mut c_void>(function) };
    // SAFETY: as above.
    assert_eq!(unsafe { pthread_create(&mut thread, null(), function, arg) }, 0);
    thread
}

fn join(thread: pthread_t) -> usize {
    let mut value = null_mut();
    // SAFETY: joined once.
    assert_eq!(unsafe { pthread_join(thread, &mut value) }, 0);
    value.addr()
}

fn past() -> timespec {
    timespec { tv_sec: 1, tv_nsec: 0 }
}

/// `millis` from now on a clock.
fn soon(clock: clockid_t, millis: i64) -> timespec {
    // SAFETY: a place for the time.
    unsafe {
        let mut now = past();
        clock_gettime(clock, &mut now);
        let total = now.tv_nsec + millis * 1_000_000;
        timespec { tv_sec: now.tv_sec + total / 1_000_000_000, tv_nsec: total % 1_000_000_000 }
    }
}

/// Waits until `wanted` threads have passed a condition variable.
struct Gate {
    mutex: pthread_mutex_t,
    cond: pthread_cond_t,
    open: bool,
    waiting: usize,
}

extern "C" fn passes(gate: *mut c_void) -> *mut c_void {
    let gate = gate.cast::<Gate>();
    // SAFETY: the gate outlives its threads; its fields are touched under the mutex.
    unsafe {
        pthread_mutex_lock(&raw mut (*gate).mutex);
        (*gate).waiting += 1;
        while !(*gate).open {
            pthread_cond_wait(&raw mut (*gate).cond, &raw mut (*gate).mutex);
        }
        (*gate).waiting -= 1;
        pthread_mutex_unlock(&raw mut (*gate).mutex);
    }
    ptr::without_provenance_mut(5)
}

fn conditions() {
    // SAFETY: objects of ours, used as their pages say.
    unsafe {
        let mut attr: pthread_condattr_t = zeroed();
        println!("attr {}", pthread_condattr_init(&mut attr));
        let (mut clock, mut shared) = (-1, -1);
        pthread_condattr_getclock(&attr, &mut clock);
        pthread_condattr_getpshared(&attr, &mut shared);
        println!("clock {clock} shared {shared}");
        println!(
            "set {} {}",
            pthread_condattr_setclock(&mut attr, CLOCK_MONOTONIC),
            pthread_condattr_setclock(&mut attr, 99)
        );
        println!("set {} {}", pthread_condattr_setpshared(&mut attr, 1), pthread_condattr_setpshared(&mut attr, 7));
        pthread_condattr_getclock(&attr, &mut clock);
        pthread_condattr_getpshared(&attr, &mut shared);
        println!("clock {clock} shared {shared}");
        for with_attr in [false, true] {
            let mut gate =
                Gate { mutex: PTHREAD_MUTEX_INITIALIZER, cond: PTHREAD_COND_INITIALIZER, open: false, waiting: 0 };
            println!("init {}", pthread_cond_init(&mut gate.cond, if with_attr { &attr } else { null() }));
            let at = &raw mut gate;
            pthread_mutex_lock(&raw mut (*at).mutex);
            let clock = if with_attr { CLOCK_MONOTONIC } else { CLOCK_REALTIME };
            let wrong = timespec { tv_sec: 1, tv_nsec: 1_000_000_000 };
            println!("past {}", pthread_cond_timedwait(&raw mut (*at).cond, &raw mut (*at).mutex, &past()));
            println!("wrong {}", pthread_cond_timedwait(&raw mut (*at).cond, &raw mut (*at).mutex, &wrong));
            let deadline = soon(clock, 20);
            println!("soon {}", pthread_cond_timedwait(&raw mut (*at).cond, &raw mut (*at).mutex, &deadline));
            println!(
                "passed {}",
                soon(clock, 0).tv_sec * 1000 + soon(clock, 0).tv_nsec / 1_000_000
                    >= deadline.tv_sec * 1000 + deadline.tv_nsec / 1_000_000
            );
            println!(
                "clockwait {}",
                pthread_cond_clockwait(&raw mut (*at).cond, &raw mut (*at).mutex, CLOCK_MONOTONIC, &past())
            );
            println!(
                "clockwait wrong {}",
                pthread_cond_clockwait(&raw mut (*at).cond, &raw mut (*at).mutex, 99, &past())
            );
            pthread_mutex_unlock(&raw mut (*at).mutex);
            let threads: Vec<_> = (0..4).map(|_| start(passes, at.cast())).collect();
            loop {
                pthread_mutex_lock(&raw mut (*at).mutex);
                let all = (*at).waiting == 4;
                if all {
                    (*at).open = true;
                    println!("signal {}", pthread_cond_signal(&raw mut (*at).cond));
                    println!("broadcast {}", pthread_cond_broadcast(&raw mut (*at).cond));
                }
                pthread_mutex_unlock(&raw mut (*at).mutex);
                if all {
                    break;
                }
                sched_yield();
            }
            println!("joined {:?}", threads.into_iter().map(join).collect::<Vec<_>>());
            println!("destroy {}", pthread_cond_destroy(&raw mut (*at).cond));
        }
        println!("attr destroy {}", pthread_condattr_destroy(&mut attr));
    }
}

static LOCK: AtomicUsize = AtomicUsize::new(0);

/// What another thread gets of the lock: try to read, try to write, both with a deadline in the past.
extern "C" fn tries(_: *mut c_void) -> *mut c_void {
    let lock = ptr::with_exposed_provenance_mut::<pthread_rwlock_t>(LOCK.load(SeqCst));
    // SAFETY: the lock lives while this thread does.
    unsafe {
        let read = pthread_rwlock_tryrdlock(lock);
        if read == 0 {
            pthread_rwlock_unlock(lock);
        }
        let write = pthread_rwlock_trywrlock(lock);
        if write == 0 {
            pthread_rwlock_unlock(lock);
        }
        let timed_read = pthread_rwlock_timedrdlock(lock, &past());
        if timed_read == 0 {
            pthread_rwlock_unlock(lock);
        }
        let timed_write = pthread_rwlock_timedwrlock(lock, &past());
        if timed_write == 0 {
            pthread_rwlock_unlock(lock);
        }
        println!("  other: read {read} write {write} timed {timed_read} {timed_write}");
    }
    null_mut()
}

static READERS: AtomicI32 = AtomicI32::new(0);
static WRITERS: AtomicI32 = AtomicI32::new(0);
static WRONG: AtomicI32 = AtomicI32::new(0);

extern "C" fn works(writes: *mut c_void) -> *mut c_void {
    let lock = ptr::with_exposed_provenance_mut::<pthread_rwlock_t>(LOCK.load(SeqCst));
    for _ in 0..2000 {
        // SAFETY: as above.
        unsafe {
            if writes.is_null() {
                pthread_rwlock_rdlock(lock);
                READERS.fetch_add(1, SeqCst);
                WRONG.fetch_add((WRITERS.load(SeqCst) != 0) as i32, SeqCst);
                READERS.fetch_sub(1, SeqCst);
            } else {
                pthread_rwlock_wrlock(lock);
                WRONG.fetch_add((WRITERS.fetch_add(1, SeqCst) != 0 || READERS.load(SeqCst) != 0) as i32, SeqCst);
                WRITERS.fetch_sub(1, SeqCst);
            }
            pthread_rwlock_unlock(lock);
        }
    }
    null_mut()
}

fn rwlocks() {
    // SAFETY: a lock of ours.
    unsafe {
        let mut attr: pthread_rwlockattr_t = zeroed();
        println!("attr {} {}", pthread_rwlockattr_init(&mut attr), pthread_rwlockattr_destroy(&mut attr));
        let mut lock: pthread_rwlock_t = zeroed();
        println!("init {}", pthread_rwlock_init(&mut lock, null()));
        LOCK.store((&raw mut lock).expose_provenance(), SeqCst);
        let lock = &raw mut lock;
        join(start(tries, null_mut()));
        println!("read {} {}", pthread_rwlock_rdlock(lock), pthread_rwlock_rdlock(lock));
        join(start(tries, null_mut()));
        println!("own write {}", pthread_rwlock_trywrlock(lock));
        println!("unlock {} {}", pthread_rwlock_unlock(lock), pthread_rwlock_unlock(lock));
        println!("write {}", pthread_rwlock_wrlock(lock));
        println!(
            "again {} {} {}",
            pthread_rwlock_wrlock(lock),
            pthread_rwlock_rdlock(lock),
            pthread_rwlock_trywrlock(lock)
        );
        join(start(tries, null_mut()));
        println!("unlock {}", pthread_rwlock_unlock(lock));
        let threads: Vec<_> = (0..6).map(|n| start(works, ptr::without_provenance_mut(n % 3))).collect();
        threads.into_iter().for_each(|thread| drop(join(thread).to_string()));
        println!("wrong {}", WRONG.load(SeqCst));
        println!("destroy {}", pthread_rwlock_destroy(lock));
    }
}

static BARRIER: AtomicUsize = AtomicUsize::new(0);
static SERIAL: AtomicI32 = AtomicI32::new(0);
static ROUND: AtomicI32 = AtomicI32::new(0);

extern "C" fn meets(_: *mut c_void) -> *mut c_void {
    let barrier = ptr::with_exposed_provenance_mut::<pthread_barrier_t>(BARRIER.load(SeqCst));
    for round in 1..=50 {
        ROUND.fetch_add(1, SeqCst);
        // SAFETY: the barrier outlives its threads.
        if unsafe { pthread_barrier_wait(barrier) } == PTHREAD_BARRIER_SERIAL_THREAD {
            SERIAL.fetch_add(1, SeqCst);
        }
        WRONG.fetch_add((ROUND.load(SeqCst) < round * 4) as i32, SeqCst);
    }
    null_mut()
}

fn barriers_and_spins() {
    // SAFETY: objects of ours.
    unsafe {
        let mut barrier: pthread_barrier_t = zeroed();
        println!("barrier of none {}", pthread_barrier_init(&mut barrier, null(), 0));
        println!("barrier {}", pthread_barrier_init(&mut barrier, null(), 4));
        BARRIER.store((&raw mut barrier).expose_provenance(), SeqCst);
        let threads: Vec<_> = (0..4).map(|_| start(meets, null_mut())).collect();
        threads.into_iter().for_each(|thread| drop(join(thread).to_string()));
        println!("serial {} wrong {}", SERIAL.load(SeqCst), WRONG.load(SeqCst));
        println!("destroy {}", pthread_barrier_destroy(&raw mut barrier));
        let mut spin: pthread_spinlock_t = zeroed();
        println!("spin {} {}", pthread_spin_init(&mut spin, 0), pthread_spin_lock(&mut spin));
        println!("try {}", pthread_spin_trylock(&mut spin));
        println!("unlock {} try {}", pthread_spin_unlock(&mut spin), pthread_spin_trylock(&mut spin));
        println!("unlock {} destroy {}", pthread_spin_unlock(&mut spin), pthread_spin_destroy(&mut spin));
    }
}

fn semaphores() {
    // SAFETY: a semaphore of ours.
    unsafe {
        let mut sem: sem_t = zeroed();
        println!("init wrong {} {}", sem_init(&mut sem, 0, u32::MAX), *__errno_location());
        println!("init {}", sem_init(&mut sem, 0, 2));
        let mut value = -1;
        println!("wait {} get {}", sem_wait(&mut sem), sem_getvalue(&mut sem, &mut value));
        println!("value {value}");
        println!(
            "timed {} clock {}",
            sem_timedwait(&mut sem, &past()),
            sem_clockwait(&mut sem, CLOCK_MONOTONIC, &past())
        );
        println!("errno {}", *__errno_location());
        println!("soon {} {}", sem_timedwait(&mut sem, &soon(CLOCK_REALTIME, 10)), *__errno_location());
        let wrong = timespec { tv_sec: 1, tv_nsec: -1 };
        println!("wrong {} {}", sem_timedwait(&mut sem, &wrong), *__errno_location());
        println!("clock wrong {} {}", sem_clockwait(&mut sem, 99, &past()), *__errno_location());
        println!("post {} try {} try {}", sem_post(&mut sem), sem_trywait(&mut sem), sem_trywait(&mut sem));
        println!("errno {}", *__errno_location());
        println!("destroy {}", sem_destroy(&mut sem));
    }
}

fn attributes() {
    // SAFETY: attributes of ours.
    unsafe {
        let mut attr: pthread_attr_t = zeroed();
        pthread_attr_init(&mut attr);
        let (mut number, mut size) = (-1, 0);
        let mut address = null_mut();
        pthread_attr_getinheritsched(&attr, &mut number);
        println!("inherit {number}");
        println!("set {} {}", pthread_attr_setinheritsched(&mut attr, 1), pthread_attr_setinheritsched(&mut attr, 9));
        pthread_attr_getinheritsched(&attr, &mut number);
        println!("inherit {number}");
        println!(
            "scope {} {} {}",
            pthread_attr_setscope(&mut attr, 0),
            pthread_attr_setscope(&mut attr, 1),
            pthread_attr_setscope(&mut attr, 2)
        );
        pthread_attr_getscope(&attr, &mut number);
        println!("scope {number}");
        println!(
            "stack size {} {}",
            pthread_attr_setstacksize(&mut attr, 100),
            pthread_attr_setstacksize(&mut attr, 1 << 20)
        );
        pthread_attr_getstacksize(&attr, &mut size);
        println!("size {size}");
        println!("guard {}", pthread_attr_setguardsize(&mut attr, 8192));
        pthread_attr_getguardsize(&attr, &mut size);
        println!("guard {size}");
        println!("detach {} {}", pthread_attr_setdetachstate(&mut attr, 1), pthread_attr_setdetachstate(&mut attr, 4));
        pthread_attr_getdetachstate(&attr, &mut number);
        println!("detached {number}");
        pthread_attr_setdetachstate(&mut attr, 0);
        let memory = mmap(null_mut(), 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        println!(
            "stack {} {}",
            pthread_attr_setstack(&mut attr, memory, 100),
            pthread_attr_setstack(&mut attr, memory, 1 << 18)
        );
        pthread_attr_getstack(&attr, &mut address, &mut size);
        println!("stack {} {size}", address == memory);
        extern "C" fn where_am_i(memory: *mut c_void) -> *mut c_void {
            let here = 0u8;
            ptr::without_provenance_mut(((&raw const here).addr().wrapping_sub(memory.addr()) < 1 << 18) as usize)
        }
        let mut thread = 0;
        println!("create {}", pthread_create(&mut thread, &attr, where_am_i, memory));
        println!("on my stack {}", join(thread));
        println!(
            "equal {} {}",
            (pthread_equal(pthread_self(), pthread_self()) != 0) as i32,
            pthread_equal(pthread_self(), 0)
        );
        let mut mine: pthread_attr_t = zeroed();
        println!("getattr {}", pthread_getattr_np(pthread_self(), &mut mine));
        pthread_attr_getstack(&mine, &mut address, &mut size);
        println!("inside {}", (&raw const mine).addr() - address.addr() < size);
        pthread_attr_destroy(&mut mine);
        println!("setname {}", pthread_setname_np(pthread_self(), c"a-name".as_ptr()));
        println!("setname long {}", pthread_setname_np(pthread_self(), c"a-name-that-is-long".as_ptr()));
        let mut name = [0 as c_char; 16];
        println!("getname {}", pthread_getname_np(pthread_self(), name.as_mut_ptr(), 16));
        println!("{:?}", std::ffi::CStr::from_ptr(name.as_ptr()));
        println!("getname short {}", pthread_getname_np(pthread_self(), name.as_mut_ptr(), 3));
        let mut clock = 0;
        println!("cpuclock {}", pthread_getcpuclockid(pthread_self(), &mut clock));
        let mut time = past();
        println!("gettime {}", clock_gettime(clock, &mut time));
        let mut param: sched_param = zeroed();
        println!("sched {}", pthread_getschedparam(pthread_self(), &mut number, &mut param));
        println!("policy {number} {}", param.sched_priority);
        println!("set {}", pthread_setschedparam(pthread_self(), SCHED_OTHER, &param));
        param.sched_priority = 5;
        println!("set wrong {}", pthread_setschedparam(pthread_self(), SCHED_OTHER, &param));
    }
}

static ORDER: AtomicI32 = AtomicI32::new(0);

macro_rules! step {
    ($name:ident, $digit:literal) => {
        extern "C" fn $name() {
            ORDER.store(ORDER.load(SeqCst) * 10 + $digit, SeqCst);
        }
    };
}
step!(first, 1);
step!(second, 2);
step!(third, 3);
step!(fourth, 4);

fn forks() {
    // SAFETY: handlers that store a number; the child leaves at once.
    unsafe {
        println!(
            "atfork {}",
            pthread_atfork(
                Some(std::mem::transmute::<extern "C" fn(), unsafe extern "C" fn()>(first)),
                Some(std::mem::transmute::<extern "C" fn(), unsafe extern "C" fn()>(second)),
                Some(std::mem::transmute::<extern "C" fn(), unsafe extern "C" fn()>(third))
            )
        );
        println!("register {}", __register_atfork(Some(fourth), None, Some(first), null_mut()));
        let child = fork();
        if child == 0 {
            _exit(ORDER.load(SeqCst) % 256);
        }
        let mut status = 0;
        println!("waited {}", waitpid(child, &mut status, 0) == child);
        println!("child saw {} parent {}", WEXITSTATUS(status), ORDER.load(SeqCst));
    }
}

static GONE: AtomicI32 = AtomicI32::new(0);

unsafe extern "C" fn gone(value: *mut c_void) {
    GONE.fetch_add(value.addr() as i32, SeqCst);
}

fn keys() {
    // SAFETY: keys of ours.
    unsafe {
        let mut made = Vec::new();
        let mut key = 0;
        while made.len() < 2000 && pthread_key_create(&mut key, Some(gone)) == 0 {
            made.push(key);
        }
        println!("keys enough {}", made.len() > 1000);
        println!("no more {}", pthread_key_create(&mut key, None));
        println!("set {}", pthread_setspecific(made[0], ptr::without_provenance_mut(3)));
        println!("get {} {}", pthread_getspecific(made[0]).addr(), pthread_getspecific(made[1]).addr());
        for key in &made[..made.len() - 1] {
            pthread_key_delete(*key);
        }
        println!("set deleted {} delete {}", pthread_setspecific(made[0], null()), pthread_key_delete(made[0]));
        static LAST: AtomicUsize = AtomicUsize::new(0);
        LAST.store(made[made.len() - 1] as usize, SeqCst);
        extern "C" fn sets(_: *mut c_void) -> *mut c_void {
            // SAFETY: the key exists.
            unsafe { pthread_setspecific(LAST.load(SeqCst) as pthread_key_t, ptr::without_provenance(7)) };
            null_mut()
        }
        join(start(sets, null_mut()));
        println!("destructor {}", GONE.load(SeqCst));
    }
}

fn main() {
    conditions();
    rwlocks();
    barriers_and_spins();
    semaphores();
    attributes();
    forks();
    keys();
}

//! Threads: cancellation with cleanup, mutexes of every kind, C11's threads, contexts, queued signals, named semaphores.

use libc::*;
use std::ffi::CStr;
use std::mem::{MaybeUninit, zeroed};
use std::ptr::{self, null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering::SeqCst};

type Start = extern "C-unwind" fn(*mut c_void) -> *mut c_void;

unsafe extern "C-unwind" {
    fn pthread_create(out: *mut pthread_t, attr: *const pthread_attr_t, start: Start, arg: *mut c_void) -> c_int;
    fn pthread_exit(value: *mut c_void) -> !;
    fn pause() -> c_int;
    fn pthread_cancel(thread: pthread_t) -> c_int;
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
    fn pthread_setcanceltype(kind: c_int, old: *mut c_int) -> c_int;
    fn pthread_testcancel();
    fn pthread_once(control: *mut pthread_once_t, routine: extern "C-unwind" fn()) -> c_int;
    fn pthread_mutex_consistent(mutex: *mut pthread_mutex_t) -> c_int;
    fn pthread_mutexattr_setprotocol(attr: *mut pthread_mutexattr_t, protocol: c_int) -> c_int;
    fn pthread_mutexattr_getprotocol(attr: *const pthread_mutexattr_t, protocol: *mut c_int) -> c_int;
    fn pthread_mutexattr_setrobust(attr: *mut pthread_mutexattr_t, robust: c_int) -> c_int;
    fn pthread_mutexattr_getrobust(attr: *const pthread_mutexattr_t, robust: *mut c_int) -> c_int;
    fn pthread_mutexattr_setprioceiling(attr: *mut pthread_mutexattr_t, priority: c_int) -> c_int;
    fn pthread_mutexattr_getprioceiling(attr: *const pthread_mutexattr_t, priority: *mut c_int) -> c_int;
    fn pthread_mutex_getprioceiling(mutex: *const pthread_mutex_t, priority: *mut c_int) -> c_int;
    fn pthread_mutexattr_gettype(attr: *const pthread_mutexattr_t, kind: *mut c_int) -> c_int;
    fn pthread_mutexattr_getpshared(attr: *const pthread_mutexattr_t, shared: *mut c_int) -> c_int;
    fn pthread_getconcurrency() -> c_int;
    fn pthread_setconcurrency(level: c_int) -> c_int;
    fn pthread_attr_setaffinity_np(attr: *mut pthread_attr_t, len: size_t, set: *const cpu_set_t) -> c_int;
    fn pthread_attr_getaffinity_np(attr: *const pthread_attr_t, len: size_t, set: *mut cpu_set_t) -> c_int;
    fn pthread_tryjoin_np(thread: pthread_t, out: *mut *mut c_void) -> c_int;
    fn pthread_timedjoin_np(thread: pthread_t, out: *mut *mut c_void, deadline: *const timespec) -> c_int;
    fn pthread_clockjoin_np(thread: pthread_t, out: *mut *mut c_void, clock: clockid_t, at: *const timespec) -> c_int;
    fn thrd_create(out: *mut pthread_t, start: extern "C-unwind" fn(*mut c_void) -> c_int, arg: *mut c_void) -> c_int;
    fn thrd_join(thread: pthread_t, out: *mut c_int) -> c_int;
    fn thrd_detach(thread: pthread_t) -> c_int;
    fn thrd_exit(value: c_int) -> !;
    fn thrd_current() -> pthread_t;
    fn thrd_equal(a: pthread_t, b: pthread_t) -> c_int;
    fn thrd_sleep(time: *const timespec, left: *mut timespec) -> c_int;
    fn thrd_yield();
    fn mtx_init(mtx: *mut pthread_mutex_t, kind: c_int) -> c_int;
    fn mtx_destroy(mtx: *mut pthread_mutex_t);
    fn mtx_lock(mtx: *mut pthread_mutex_t) -> c_int;
    fn mtx_trylock(mtx: *mut pthread_mutex_t) -> c_int;
    fn mtx_timedlock(mtx: *mut pthread_mutex_t, deadline: *const timespec) -> c_int;
    fn mtx_unlock(mtx: *mut pthread_mutex_t) -> c_int;
    fn cnd_init(cnd: *mut pthread_cond_t) -> c_int;
    fn cnd_destroy(cnd: *mut pthread_cond_t);
    fn cnd_signal(cnd: *mut pthread_cond_t) -> c_int;
    fn cnd_broadcast(cnd: *mut pthread_cond_t) -> c_int;
    fn cnd_wait(cnd: *mut pthread_cond_t, mtx: *mut pthread_mutex_t) -> c_int;
    fn cnd_timedwait(cnd: *mut pthread_cond_t, mtx: *mut pthread_mutex_t, deadline: *const timespec) -> c_int;
    fn tss_create(key: *mut pthread_key_t, destructor: Option<extern "C" fn(*mut c_void)>) -> c_int;
    fn tss_delete(key: pthread_key_t);
    fn tss_get(key: pthread_key_t) -> *mut c_void;
    fn tss_set(key: pthread_key_t, value: *mut c_void) -> c_int;
    fn call_once(flag: *mut pthread_once_t, function: extern "C" fn());
    fn sigset(signal: c_int, disposition: sighandler_t) -> sighandler_t;
    fn __sysv_signal(signal: c_int, handler: sighandler_t) -> sighandler_t;
    fn pthread_sigqueue(thread: pthread_t, signal: c_int, value: sigval) -> c_int;
    fn backtrace(out: *mut *mut c_void, room: c_int) -> c_int;
    fn backtrace_symbols(frames: *const *mut c_void, count: c_int) -> *mut *mut c_char;
    fn backtrace_symbols_fd(frames: *const *mut c_void, count: c_int, fd: c_int);
    /// Below: calls `body(arg)` between pthread_cleanup_push(handler, handler_arg) and pthread_cleanup_pop(1), as C's macros do.
    fn cleanup_frame(body: Start, arg: *mut c_void, handler: extern "C" fn(*mut c_void), handler_arg: *mut c_void);
}

// What a C compiler makes of pthread_cleanup_push and _pop without -fexceptions: a __pthread_unwind_buf_t (104 bytes) on the stack.
std::arch::global_asm!(
    ".globl cleanup_frame",
    ".type cleanup_frame, @function",
    "cleanup_frame:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "sub rsp, 144",
    "mov [rbp - 8], rdi",
    "mov [rbp - 16], rsi",
    "mov [rbp - 24], rdx",
    "mov [rbp - 32], rcx",
    "lea rdi, [rbp - 144]",
    "xor esi, esi",
    "call __sigsetjmp@PLT",
    "test eax, eax",
    "jne 2f",
    "lea rdi, [rbp - 144]",
    "call __pthread_register_cancel@PLT",
    "mov rdi, [rbp - 16]",
    "call [rbp - 8]",
    "lea rdi, [rbp - 144]",
    "call __pthread_unregister_cancel@PLT",
    "mov rdi, [rbp - 32]",
    "call [rbp - 24]",
    "leave",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_def_cfa rbp, 16",
    "2:",
    "mov rdi, [rbp - 32]",
    "call [rbp - 24]",
    "lea rdi, [rbp - 144]",
    "call __pthread_unwind_next@PLT",
    "ud2",
    ".cfi_endproc",
    ".size cleanup_frame, . - cleanup_frame",
);

const DISABLE: c_int = 1;
const ENABLE: c_int = 0;
const ASYNCHRONOUS: c_int = 1;

fn start(function: Start, arg: *mut c_void) -> pthread_t {
    let mut thread = 0;
    // SAFETY: the argument outlives the thread in every use here.
    let errno = unsafe { pthread_create(&mut thread, null(), function, arg) };
    assert_eq!(errno, 0);
    thread
}

/// The thread's result as text.
fn join(thread: pthread_t) -> String {
    let mut value = null_mut();
    // SAFETY: joined once.
    let errno = unsafe { libc::pthread_join(thread, &mut value) };
    match (errno, value.addr()) {
        (0, usize::MAX) => "cancelled".into(),
        (0, value) => format!("{value}"),
        (errno, _) => format!("errno {errno}"),
    }
}

/// Set by a thread right before it waits.
static READY: AtomicI32 = AtomicI32::new(0);
static PIPE: AtomicI32 = AtomicI32::new(-1);
static DESTROYED: AtomicI32 = AtomicI32::new(0);
static KEY: AtomicI32 = AtomicI32::new(0);

fn wait_ready() {
    while READY.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
}

extern "C" fn destroyed(value: *mut c_void) {
    DESTROYED.fetch_add(value.addr() as i32, SeqCst);
}

extern "C" fn say(what: *mut c_void) {
    // SAFETY: a C string's address.
    println!("  cleanup {}", unsafe { CStr::from_ptr(what.cast()) }.to_str().unwrap());
}

/// Waits in one of many ways.
extern "C-unwind" fn wait(kind: *mut c_void) -> *mut c_void {
    // SAFETY: valid arguments throughout; the key exists.
    unsafe {
        pthread_setspecific(KEY.load(SeqCst) as u32, ptr::without_provenance_mut(1));
        READY.store(1, SeqCst);
        let mut byte = 0u8;
        let mut set: sigset_t = zeroed();
        let hour = timespec { tv_sec: 3600, tv_nsec: 0 };
        let mut poll_fd = pollfd { fd: PIPE.load(SeqCst), events: POLLIN, revents: 0 };
        let mut sem: sem_t = zeroed();
        sem_init(&mut sem, 0, 0);
        let mut mutex = PTHREAD_MUTEX_INITIALIZER;
        let mut cond = PTHREAD_COND_INITIALIZER;
        match kind.addr() {
            0 => _ = read(PIPE.load(SeqCst), (&raw mut byte).cast(), 1),
            1 => _ = nanosleep(&hour, null_mut()),
            2 => _ = sem_wait(&mut sem),
            3 => {
                pthread_mutex_lock(&mut mutex);
                loop {
                    pthread_cond_wait(&mut cond, &mut mutex);
                }
            }
            4 => _ = poll(&mut poll_fd, 1, -1),
            5 => _ = sigsuspend(&set),
            6 => {
                sigaddset(&mut set, SIGUSR2);
                let mut got = 0;
                sigwait(&set, &mut got);
            }
            7 => _ = select(0, null_mut(), null_mut(), null_mut(), null_mut()),
            8 => _ = pause(),
            9 => loop {
                pthread_testcancel();
                std::hint::spin_loop();
            },
            _ => unreachable!(),
        }
    }
    ptr::without_provenance_mut(7)
}

extern "C-unwind" fn guarded_wait(kind: *mut c_void) -> *mut c_void {
    extern "C-unwind" fn inner(kind: *mut c_void) -> *mut c_void {
        // SAFETY: a frame with a handler around the wait.
        unsafe { cleanup_frame(wait, kind, say, c"inner".as_ptr().cast_mut().cast()) };
        null_mut()
    }
    // SAFETY: as above.
    unsafe { cleanup_frame(inner, kind, say, c"outer".as_ptr().cast_mut().cast()) };
    null_mut()
}

fn cancellation() {
    let mut ends = [0; 2];
    let mut key = 0;
    // SAFETY: two descriptors; a destructor for a word.
    unsafe {
        assert_eq!(pipe(ends.as_mut_ptr()), 0);
        assert_eq!(
            pthread_key_create(
                &mut key,
                Some(std::mem::transmute::<extern "C" fn(*mut c_void), unsafe extern "C" fn(*mut c_void)>(destroyed))
            ),
            0
        );
    }
    PIPE.store(ends[0], SeqCst);
    KEY.store(key as i32, SeqCst);
    let names = [
        "read",
        "nanosleep",
        "sem_wait",
        "cond_wait",
        "poll",
        "sigsuspend",
        "sigwait",
        "select",
        "pause",
        "testcancel",
    ];
    for (kind, name) in names.iter().enumerate() {
        for settle in [false, true] {
            READY.store(0, SeqCst);
            println!("cancel in {name}");
            let thread = start(guarded_wait, ptr::without_provenance_mut(kind));
            if settle {
                wait_ready();
                // SAFETY: a short sleep, so that the thread is likely to wait.
                unsafe { usleep(2000) };
            }
            // SAFETY: the thread is not joined yet.
            let errno = unsafe { pthread_cancel(thread) };
            println!(
                "  pthread_cancel {errno}: {}, destructors {}",
                join(thread),
                DESTROYED.swap(0, SeqCst).min(i32::from(settle))
            );
        }
    }
}

extern "C-unwind" fn disabled(_: *mut c_void) -> *mut c_void {
    let mut old = -1;
    // SAFETY: a place for the old state.
    unsafe {
        println!("setcancelstate {} was {old}", pthread_setcancelstate(DISABLE, &mut old));
        println!(
            "bad state {} bad type {}",
            pthread_setcancelstate(5, null_mut()),
            pthread_setcanceltype(5, null_mut())
        );
        READY.store(1, SeqCst);
        while READY.load(SeqCst) == 1 {
            sched_yield();
        }
        pthread_testcancel();
        println!("still there while disabled");
        // From here on printing would be a cancellation point inside std.
        pthread_setcancelstate(ENABLE, &mut old);
        pthread_testcancel();
    }
    null_mut()
}

extern "C-unwind" fn spinner(_: *mut c_void) -> *mut c_void {
    // SAFETY: a place for the old type.
    unsafe { pthread_setcanceltype(ASYNCHRONOUS, null_mut()) };
    READY.store(1, SeqCst);
    loop {
        std::hint::spin_loop();
    }
}

static ONCE_RUNS: AtomicI32 = AtomicI32::new(0);
static mut ONCE: pthread_once_t = PTHREAD_ONCE_INIT;

extern "C-unwind" fn once_routine() {
    if ONCE_RUNS.fetch_add(1, SeqCst) == 0 {
        READY.store(1, SeqCst);
        loop {
            // SAFETY: no arguments.
            unsafe { pause() };
        }
    }
}

extern "C-unwind" fn run_once(_: *mut c_void) -> *mut c_void {
    // SAFETY: an initialised control word.
    unsafe { pthread_once(&raw mut ONCE, once_routine) };
    ptr::without_provenance_mut(3)
}

extern "C-unwind" fn exits_deep(_: *mut c_void) -> *mut c_void {
    extern "C-unwind" fn deep(_: *mut c_void) -> *mut c_void {
        // SAFETY: ends this thread.
        unsafe { pthread_exit(ptr::without_provenance_mut(42)) }
    }
    // SAFETY: a frame with a handler.
    unsafe { cleanup_frame(deep, null_mut(), say, c"of pthread_exit".as_ptr().cast_mut().cast()) };
    null_mut()
}

fn states() {
    READY.store(0, SeqCst);
    let thread = start(disabled, null_mut());
    wait_ready();
    // SAFETY: running threads.
    unsafe {
        pthread_cancel(thread);
        READY.store(2, SeqCst);
        println!("disabled: {}", join(thread));
        READY.store(0, SeqCst);
        let thread = start(spinner, null_mut());
        wait_ready();
        pthread_cancel(thread);
        println!("asynchronous: {}", join(thread));
        READY.store(0, SeqCst);
        let thread = start(run_once, null_mut());
        wait_ready();
        pthread_cancel(thread);
        println!("once: {}", join(thread));
        println!("once again: {} runs {}", join(start(run_once, null_mut())), ONCE_RUNS.load(SeqCst));
        println!("pthread_exit: {}", join(start(exits_deep, null_mut())));
    }
}

extern "C-unwind" fn dies_holding(mutex: *mut c_void) -> *mut c_void {
    // SAFETY: an initialised mutex.
    unsafe { ptr::without_provenance_mut(pthread_mutex_lock(mutex.cast()) as usize) }
}

/// A mutex made with these attributes, or why not.
fn mutex(kind: c_int, protocol: c_int, robust: c_int, shared: c_int) -> Result<pthread_mutex_t, c_int> {
    // SAFETY: attributes and mutex are places of ours.
    unsafe {
        let mut attr: pthread_mutexattr_t = zeroed();
        pthread_mutexattr_init(&mut attr);
        assert_eq!(pthread_mutexattr_settype(&mut attr, kind), 0);
        assert_eq!(pthread_mutexattr_setprotocol(&mut attr, protocol), 0);
        assert_eq!(pthread_mutexattr_setrobust(&mut attr, robust), 0);
        assert_eq!(pthread_mutexattr_setpshared(&mut attr, shared), 0);
        let mut got = [-1; 4];
        pthread_mutexattr_gettype(&attr, &mut got[0]);
        pthread_mutexattr_getprotocol(&attr, &mut got[1]);
        pthread_mutexattr_getrobust(&attr, &mut got[2]);
        pthread_mutexattr_getpshared(&attr, &mut got[3]);
        assert_eq!(got, [kind, protocol, robust, shared]);
        let mut mutex = MaybeUninit::uninit();
        let errno = pthread_mutex_init(mutex.as_mut_ptr(), &attr);
        pthread_mutexattr_destroy(&mut attr);
        if errno == 0 { Ok(mutex.assume_init()) } else { Err(errno) }
    }
}

fn mutexes() {
    let past = timespec { tv_sec: 1, tv_nsec: 0 };
    for kind in [PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK, 3] {
        for protocol in [0, 1] {
            for robust in [0, 1] {
                for shared in [0, 1] {
                    let made = mutex(kind, protocol, robust, shared);
                    print!("mutex {kind} {protocol} {robust} {shared}:");
                    let mut mutex = match made {
                        Ok(mutex) => mutex,
                        Err(errno) => {
                            println!(" init {errno}");
                            continue;
                        }
                    };
                    // SAFETY: an initialised mutex.
                    unsafe {
                        let m = &raw mut mutex;
                        print!(" lock {}", pthread_mutex_lock(m));
                        if kind == PTHREAD_MUTEX_RECURSIVE || kind == PTHREAD_MUTEX_ERRORCHECK {
                            print!(" lock {}", pthread_mutex_lock(m));
                        }
                        print!(" try {}", pthread_mutex_trylock(m));
                        print!(" timed {}", pthread_mutex_timedlock(m, &past));
                        // A robust one would be destroyed, though held.
                        print!(" destroy {}", if robust == 1 { 0 } else { pthread_mutex_destroy(m) });
                        for _ in 0..4 {
                            // Unlocking what is not held is defined only where an owner is checked.
                            if kind == PTHREAD_MUTEX_RECURSIVE || kind == PTHREAD_MUTEX_ERRORCHECK {
                                print!(" unlock {}", pthread_mutex_unlock(m));
                            }
                        }
                        if kind == PTHREAD_MUTEX_NORMAL || kind == 3 {
                            print!(" unlock {}", pthread_mutex_unlock(m));
                        }
                        if robust == 1 {
                            print!(" dead {}", join(start(dies_holding, m.cast())));
                            print!(" lock {}", pthread_mutex_lock(m));
                            print!(" consistent {}", pthread_mutex_consistent(m));
                            print!(" again {}", pthread_mutex_consistent(m));
                            print!(" unlock {}", pthread_mutex_unlock(m));
                            print!(" lock {} unlock {}", pthread_mutex_lock(m), pthread_mutex_unlock(m));
                            print!(" dead {}", join(start(dies_holding, m.cast())));
                            print!(" try {} unlock {}", pthread_mutex_trylock(m), pthread_mutex_unlock(m));
                            print!(" lost {} {}", pthread_mutex_lock(m), pthread_mutex_trylock(m));
                        }
                        println!();
                    }
                }
            }
        }
    }
    // SAFETY: attributes of ours.
    unsafe {
        let mut attr: pthread_mutexattr_t = zeroed();
        pthread_mutexattr_init(&mut attr);
        let mut ceiling = -1;
        println!("protocol 7: {}", pthread_mutexattr_setprotocol(&mut attr, 7));
        println!("robust 7: {}", pthread_mutexattr_setrobust(&mut attr, 7));
        println!("ceiling 0: {}", pthread_mutexattr_setprioceiling(&mut attr, 0));
        println!("ceiling 100: {}", pthread_mutexattr_setprioceiling(&mut attr, 100));
        println!("ceiling 10: {}", pthread_mutexattr_setprioceiling(&mut attr, 10));
        println!("get {} {ceiling}", pthread_mutexattr_getprioceiling(&attr, &mut ceiling));
        println!("ceiling is {ceiling}");
        println!("protect {}", pthread_mutexattr_setprotocol(&mut attr, PTHREAD_PRIO_PROTECT));
        let mut mutex = MaybeUninit::uninit();
        println!("init {}", pthread_mutex_init(mutex.as_mut_ptr(), &attr));
        println!("get {}", pthread_mutex_getprioceiling(mutex.as_ptr(), &mut ceiling));
        println!("ceiling is {ceiling}");
        let mut plain = PTHREAD_MUTEX_INITIALIZER;
        println!("get of a plain one {}", pthread_mutex_getprioceiling(&plain, &mut ceiling));
        println!("consistent of a plain one {}", pthread_mutex_consistent(&mut plain));
    }
}

const ROUNDS: usize = 20_000;

/// A counter behind a mutex of the kind under test.
struct Counted {
    mutex: pthread_mutex_t,
    count: usize,
}

extern "C-unwind" fn count_up(shared: *mut c_void) -> *mut c_void {
    let shared = shared.cast::<Counted>();
    for _ in 0..ROUNDS {
        // SAFETY: the counter is only touched under the mutex.
        unsafe {
            pthread_mutex_lock(&raw mut (*shared).mutex);
            (*shared).count += 1;
            pthread_mutex_unlock(&raw mut (*shared).mutex);
        }
    }
    null_mut()
}

fn contention() {
    for (kind, protocol, robust) in
        [(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (0, 1, 0), (1, 1, 0), (0, 0, 1), (0, 1, 1)]
    {
        let Ok(mutex) = mutex(kind, protocol, robust, 0) else {
            println!("contention {kind} {protocol} {robust}: not made");
            continue;
        };
        let mut counted = Counted { mutex, count: 0 };
        let threads: Vec<_> = (0..4).map(|_| start(count_up, (&raw mut counted).cast())).collect();
        for thread in threads {
            join(thread);
        }
        println!("contention {kind} {protocol} {robust}: {}", counted.count);
    }
}

/// A robust mutex that another process dies with.
fn across_processes() {
    // SAFETY: a shared page for the mutex; the child only locks and leaves.
    unsafe {
        let page = mmap(null_mut(), 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        let shared = page.cast::<pthread_mutex_t>();
        *shared = mutex(0, 0, 1, 1).expect("a robust mutex");
        let child = fork();
        if child == 0 {
            pthread_mutex_lock(shared);
            _exit(0);
        }
        waitpid(child, null_mut(), 0);
        println!("after a dead process: {}", pthread_mutex_lock(shared));
        println!("consistent {} unlock {}", pthread_mutex_consistent(shared), pthread_mutex_unlock(shared));
        munmap(page, 4096);
    }
}

extern "C-unwind" fn c11(arg: *mut c_void) -> c_int {
    // SAFETY: ends the thread with a value.
    if arg.addr() == 1 { unsafe { thrd_exit(-5) } } else { -6 }
}

static C11_CALLS: AtomicI32 = AtomicI32::new(0);
static C11_STATE: AtomicPtr<(pthread_mutex_t, pthread_cond_t, i32)> = AtomicPtr::new(null_mut());

extern "C" fn called() {
    C11_CALLS.fetch_add(1, SeqCst);
}

extern "C-unwind" fn c11_waiter(_: *mut c_void) -> c_int {
    let state = C11_STATE.load(SeqCst);
    // SAFETY: initialised by the other thread, which waits for this one.
    unsafe {
        mtx_lock(&raw mut (*state).0);
        while (*state).2 == 0 {
            cnd_wait(&raw mut (*state).1, &raw mut (*state).0);
        }
        mtx_unlock(&raw mut (*state).0);
    }
    9
}

fn c11_threads() {
    // SAFETY: places of ours throughout.
    unsafe {
        let (mut thread, mut value) = (0, 0);
        for arg in 0..2 {
            println!("thrd_create {}", thrd_create(&mut thread, c11, ptr::without_provenance_mut(arg)));
            println!("thrd_join {} ", thrd_join(thread, &mut value));
            println!("value {value}");
        }
        println!("equal {}", (thrd_equal(thrd_current(), thrd_current()) != 0) as i32);
        println!("detach {} {}", thrd_create(&mut thread, c11, null_mut()), thrd_detach(thread));
        thrd_yield();
        println!("sleep {}", thrd_sleep(&timespec { tv_sec: 0, tv_nsec: 1000 }, null_mut()));
        println!("sleep wrong {}", thrd_sleep(&timespec { tv_sec: 0, tv_nsec: -1 }, null_mut()));
        let mut state: (pthread_mutex_t, pthread_cond_t, i32) = zeroed();
        C11_STATE.store(&raw mut state, SeqCst);
        println!("init {} {}", mtx_init(&raw mut state.0, 3), cnd_init(&raw mut state.1));
        println!("init wrong {}", mtx_init(&raw mut state.0, 8));
        println!("lock {} {}", mtx_lock(&raw mut state.0), mtx_trylock(&raw mut state.0));
        let past = timespec { tv_sec: 1, tv_nsec: 0 };
        println!("timed {}", mtx_timedlock(&raw mut state.0, &past));
        for _ in 0..3 {
            println!("unlock {}", mtx_unlock(&raw mut state.0));
        }
        mtx_lock(&raw mut state.0);
        println!("timedwait {}", cnd_timedwait(&raw mut state.1, &raw mut state.0, &past));
        mtx_unlock(&raw mut state.0);
        for broadcast in [false, true] {
            state.2 = 0;
            thrd_create(&mut thread, c11_waiter, null_mut());
            mtx_lock(&raw mut state.0);
            (*C11_STATE.load(SeqCst)).2 = 1;
            println!("wake {}", if broadcast { cnd_broadcast(&raw mut state.1) } else { cnd_signal(&raw mut state.1) });
            mtx_unlock(&raw mut state.0);
            println!("join {}", thrd_join(thread, &mut value));
            println!("value {value}");
        }
        cnd_destroy(&raw mut state.1);
        mtx_destroy(&raw mut state.0);
        let mut key = 0;
        println!("tss {}", tss_create(&mut key, Some(destroyed)));
        println!("set {}", tss_set(key, ptr::without_provenance_mut(77)));
        println!("get {}", tss_get(key).addr());
        tss_delete(key);
        println!("set deleted {}", tss_set(key, null_mut()));
        let mut flag = PTHREAD_ONCE_INIT;
        call_once(&mut flag, called);
        call_once(&mut flag, called);
        println!("calls {}", C11_CALLS.load(SeqCst));
    }
}

static STEPS: AtomicUsize = AtomicUsize::new(0);
static CONTEXTS: AtomicPtr<[ucontext_t; 3]> = AtomicPtr::new(null_mut());

extern "C" fn in_context(a: c_int, b: c_int, c: c_int, d: c_int, e: c_int, f: c_int, g: c_int, h: c_int) {
    println!("  arguments {a} {b} {c} {d} {e} {f} {g} {h}");
    let contexts = CONTEXTS.load(SeqCst).cast::<ucontext_t>();
    for _ in 0..3 {
        STEPS.fetch_add(1, SeqCst);
        // SAFETY: both contexts are initialised.
        unsafe { swapcontext(contexts.add(1), contexts) };
    }
}

fn contexts() {
    // SAFETY: contexts and stacks of ours; the function takes what is passed.
    unsafe {
        let mut contexts: [ucontext_t; 3] = zeroed();
        CONTEXTS.store(&raw mut contexts, SeqCst);
        let at = (&raw mut contexts).cast::<ucontext_t>();
        let mut stack = vec![0u8; 65536];
        println!("getcontext {}", getcontext(at.add(1)));
        (*at.add(1)).uc_stack.ss_sp = stack.as_mut_ptr().cast();
        (*at.add(1)).uc_stack.ss_size = stack.len();
        (*at.add(1)).uc_link = at;
        let function = std::mem::transmute::<*const (), extern "C" fn()>(in_context as *const ());
        makecontext(at.add(1), function, 8, 1, 2, 3, 4, 5, 6, 7, -8);
        for _ in 0..4 {
            println!("swapcontext {}", swapcontext(at, at.add(1)));
            println!("  steps {}", STEPS.load(SeqCst));
        }
        // A loop made with getcontext and setcontext.
        let turns = AtomicUsize::new(0);
        getcontext(at.add(2));
        if turns.fetch_add(1, SeqCst) < 3 {
            setcontext(at.add(2));
        }
        println!("turns {}", turns.load(SeqCst));
    }
}

static SEEN: AtomicUsize = AtomicUsize::new(0);

extern "C" fn noted(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
    // SAFETY: a queued signal's information.
    let value = unsafe { (*info).si_value().sival_ptr.addr() };
    SEEN.store(SEEN.load(SeqCst) * 100 + (signal as usize - 30) * 10 + value, SeqCst);
}

extern "C" fn plain(_: c_int) {
    SEEN.fetch_add(1, SeqCst);
}

fn signals() {
    // SAFETY: handlers that only store numbers.
    unsafe {
        let first = SIGRTMIN();
        let mut action: sigaction = zeroed();
        action.sa_sigaction = noted as *const () as usize;
        action.sa_flags = SA_SIGINFO;
        let mut set: sigset_t = zeroed();
        for signal in first..first + 3 {
            sigaction(signal, &action, null_mut());
            sigaddset(&mut set, signal);
        }
        sigprocmask(SIG_BLOCK, &set, null_mut());
        let value = |n| sigval { sival_ptr: ptr::without_provenance_mut(n) };
        for (signal, n) in [(first + 2, 1), (first, 2), (first + 1, 3), (first, 4)] {
            print!("sigqueue {} ", sigqueue(getpid(), signal, value(n)));
        }
        println!("pthread_sigqueue {}", pthread_sigqueue(pthread_self(), first + 1, value(5)));
        sigprocmask(SIG_UNBLOCK, &set, null_mut());
        println!("seen {}", SEEN.swap(0, SeqCst) != 0);
        for (pid, signal) in [(getpid(), 65), (getpid(), -1), (0x3fff_ffff, 10)] {
            let result = sigqueue(pid, signal, value(0));
            println!("sigqueue wrong {result} {}", *__errno_location());
        }
        let handler = plain as *const () as sighandler_t;
        println!("sigset {}", sigset(SIGUSR1, handler) == SIG_DFL);
        println!("sigset hold {}", sigset(SIGUSR1, 2) == handler);
        raise(SIGUSR1);
        println!("held {}", SEEN.load(SeqCst));
        println!("sigset again {}", sigset(SIGUSR1, handler) == 2);
        println!("released {}", SEEN.load(SeqCst));
        println!("sigset wrong {} {}", sigset(99, handler) == SIG_ERR, *__errno_location());
        println!("sysv {}", __sysv_signal(SIGUSR1, handler) == handler);
        raise(SIGUSR1);
        println!("once {} now default {}", SEEN.load(SeqCst), sigset(SIGUSR1, SIG_IGN) == SIG_DFL);
    }
}

fn named() {
    let name = c"/ochre-conform-threads";
    // SAFETY: names and places of ours.
    unsafe {
        sem_unlink(name.as_ptr());
        println!("open absent {} {}", sem_open(name.as_ptr(), 0) == SEM_FAILED, *__errno_location());
        let a = sem_open(name.as_ptr(), O_CREAT | O_EXCL, 0o600 as c_uint, 2 as c_uint);
        println!("open {}", a != SEM_FAILED);
        println!(
            "exclusive {} {}",
            sem_open(name.as_ptr(), O_CREAT | O_EXCL, 0o600 as c_uint, 2 as c_uint) == SEM_FAILED,
            *__errno_location()
        );
        let b = sem_open(name.as_ptr(), O_CREAT, 0o600 as c_uint, 5 as c_uint);
        println!("same {}", a == b);
        println!("wait {} {} try {}", sem_wait(a), sem_wait(b), sem_trywait(a));
        let child = fork();
        if child == 0 {
            sem_post(b);
            _exit(0);
        }
        println!("posted by a child {}", sem_wait(a));
        waitpid(child, null_mut(), 0);
        println!("close {} {}", sem_close(a), sem_close(b));
        println!("unlink {} {}", sem_unlink(name.as_ptr()), sem_unlink(name.as_ptr()));
        for bad in [c"", c"/", c"/a/b"] {
            *__errno_location() = 0;
            println!(
                "bad {bad:?} {} {}",
                sem_open(bad.as_ptr(), O_CREAT, 0o600 as c_uint, 1 as c_uint) == SEM_FAILED,
                *__errno_location()
            );
            println!("bad shm {} {}", shm_open(bad.as_ptr(), O_RDWR, 0), *__errno_location());
            println!("bad unlink {} {}", sem_unlink(bad.as_ptr()), *__errno_location());
        }
        let fd = shm_open(name.as_ptr(), O_RDWR | O_CREAT | O_EXCL, 0o600);
        println!("shm {} {}", fd >= 0, ftruncate(fd, 8192));
        let page = mmap(null_mut(), 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        *page.cast::<u8>().add(5000) = 7;
        let mut byte = 0u8;
        println!("read {} {byte}", pread(fd, (&raw mut byte).cast(), 1, 5000));
        println!("byte {byte}");
        println!("shm unlink {} {}", shm_unlink(name.as_ptr()), shm_unlink(name.as_ptr()));
        println!("errno {}", *__errno_location());
    }
}

extern "C-unwind" fn sleeps(_: *mut c_void) -> *mut c_void {
    while READY.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    ptr::without_provenance_mut(11)
}

fn joins_and_attributes() {
    // SAFETY: places of ours; each thread is joined once.
    unsafe {
        READY.store(0, SeqCst);
        let thread = start(sleeps, null_mut());
        let mut value = null_mut();
        let past = timespec { tv_sec: 1, tv_nsec: 0 };
        println!("tryjoin {}", pthread_tryjoin_np(thread, &mut value));
        println!("timedjoin {}", pthread_timedjoin_np(thread, &mut value, &past));
        println!("clockjoin {}", pthread_clockjoin_np(thread, &mut value, CLOCK_MONOTONIC, &past));
        println!("clockjoin wrong {}", pthread_clockjoin_np(thread, &mut value, 99, &past));
        READY.store(1, SeqCst);
        println!("join {}", join(thread));
        println!("join self {}", pthread_join(pthread_self(), null_mut()));
        println!("concurrency {}", pthread_getconcurrency());
        println!("set {} {}", pthread_setconcurrency(4), pthread_setconcurrency(-1));
        println!("concurrency {}", pthread_getconcurrency());
        let mut attr: pthread_attr_t = zeroed();
        pthread_attr_init(&mut attr);
        let mut set: cpu_set_t = zeroed();
        CPU_SET(0, &mut set);
        println!("setaffinity {}", pthread_attr_setaffinity_np(&mut attr, size_of::<cpu_set_t>(), &set));
        let mut got: cpu_set_t = zeroed();
        println!("getaffinity {}", pthread_attr_getaffinity_np(&attr, size_of::<cpu_set_t>(), &mut got));
        println!("same {}", CPU_EQUAL(&set, &got));
        let mut thread = 0;
        println!("create {}", pthread_create(&mut thread, &attr, sleeps, null_mut()));
        println!("joined {}", join(thread));
        println!("destroy {}", pthread_attr_destroy(&mut attr));
    }
}

#[inline(never)]
fn traces() {
    let mut frames = [null_mut(); 64];
    // SAFETY: room for 64 frames.
    unsafe {
        let count = backtrace(frames.as_mut_ptr(), 64);
        println!("backtrace {}", count > 2);
        println!("limited {}", backtrace(frames.as_mut_ptr(), 2));
        let texts = backtrace_symbols(frames.as_ptr(), 2);
        println!("symbols {}", !texts.is_null() && CStr::from_ptr(*texts).to_bytes().contains(&b'['));
        free(texts.cast());
        let mut ends = [0; 2];
        pipe(ends.as_mut_ptr());
        backtrace_symbols_fd(frames.as_ptr(), 2, ends[1]);
        close(ends[1]);
        let mut text = vec![0u8; 65536];
        let len = read(ends[0], text.as_mut_ptr().cast(), text.len()).max(0) as usize;
        println!("lines {}", text[..len].iter().filter(|byte| **byte == b'\n').count());
    }
}

fn main() {
    cancellation();
    states();
    mutexes();
    contention();
    across_processes();
    c11_threads();
    contexts();
    signals();
    named();
    joins_and_attributes();
    traces();
}

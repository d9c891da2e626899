//! Signals and threads: pthreads(7).

use runtime_tests::sys::{self, Take, bit};
use runtime_tests::{Result, checks, ensure, same};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

checks!("threads": to_one, to_any, mask_is_inherited, storm);

const A: i32 = libc::SIGUSR1;

fn until(condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !condition() && start.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(1));
    }
    condition()
}

fn to_one() -> Result {
    sys::take(A, Take::Note, 0, 0)?;
    let (tid, done) = (AtomicI32::new(0), AtomicBool::new(false));
    let arrived = thread::scope(|scope| {
        scope.spawn(|| {
            tid.store(sys::tid(), SeqCst);
            until(|| done.load(SeqCst));
        });
        let arrived = until(|| tid.load(SeqCst) != 0)
            && sys::tgkill(sys::pid(), tid.load(SeqCst), A).is_ok()
            && until(|| sys::count() == 1);
        done.store(true, SeqCst);
        arrived
    });
    ensure!(arrived);
    same!(sys::last().thread, tid.load(SeqCst));
    Ok(())
}

/// A signal for the process goes to a thread that does not block it.
fn to_any() -> Result {
    sys::take(A, Take::Note, 0, 0)?;
    let (tid, done) = (AtomicI32::new(0), AtomicBool::new(false));
    let arrived = thread::scope(|scope| {
        scope.spawn(|| {
            tid.store(sys::tid(), SeqCst);
            until(|| done.load(SeqCst));
        });
        let arrived = until(|| tid.load(SeqCst) != 0)
            && sys::mask(bit(A)).is_ok()
            && sys::kill(sys::pid(), A).is_ok()
            && until(|| sys::count() == 1);
        done.store(true, SeqCst);
        arrived
    });
    ensure!(arrived);
    same!(sys::last().thread, tid.load(SeqCst));
    Ok(())
}

fn mask_is_inherited() -> Result {
    sys::mask(bit(A))?;
    let theirs = thread::spawn(|| sys::mask(0)).join().map_err(|_| "a thread panicked")??;
    same!(theirs, bit(A));
    // A thread's change is its own.
    same!(sys::mask(0)?, bit(A));
    Ok(())
}

/// Another thread sends signals while this one computes: no register, general or floating, may change.
fn storm() -> Result {
    sys::take(A, Take::Note, libc::SA_RESTART, 0)?;
    let (pid, me, stop) = (sys::pid(), sys::tid(), AtomicBool::new(false));
    let right = thread::scope(|scope| {
        scope.spawn(|| while !stop.load(SeqCst) && sys::tgkill(pid, me, A).is_ok() {});
        let round = || {
            let (mut whole, mut float) = (1_u64, 1.0_f64);
            for n in 0..1000 {
                whole = std::hint::black_box(whole).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n);
                float = std::hint::black_box(float) * 1.000_000_1 + 1.0;
            }
            (whole, float)
        };
        let expected = round();
        let start = Instant::now();
        let mut right = true;
        // On a loaded machine the two threads take turns, and a turn is one signal.
        let enough = || start.elapsed() > Duration::from_millis(500) && sys::count() > 100;
        while !enough() && start.elapsed() < Duration::from_secs(20) {
            right &= round() == expected;
        }
        stop.store(true, SeqCst);
        right
    });
    ensure!(right);
    ensure!(sys::count() > 100);
    Ok(())
}

//! Real-time signals: sigqueue(3), and their order in signal(7).

use runtime_tests::sys::{self, Take, bit};
use runtime_tests::{Result, checks, errno, same};
use std::time::Duration;

checks!("queues": values_in_order, lowest_first, standard_signal, refused);

fn values_in_order() -> Result {
    let signal = sys::rtmin() + 1;
    sys::take(signal, Take::Note, 0, 0)?;
    sys::mask(bit(signal))?;
    for value in 0..20 {
        sys::queue(sys::pid(), signal, 100 + value)?;
    }
    sys::mask(0)?;
    same!(sys::count(), 20);
    for n in 0..20 {
        same!(sys::nth_value(n), 100 + n as i32);
    }
    same!((sys::last().info.code, sys::last().info.pid), (libc::SI_QUEUE, sys::pid()));
    Ok(())
}

fn lowest_first() -> Result {
    let (low, high) = (sys::rtmin(), sys::rtmin() + 5);
    let both = bit(low) | bit(high);
    sys::mask(both)?;
    for (signal, value) in [(high, 1), (low, 2), (high, 3), (low, 4)] {
        sys::queue(sys::pid(), signal, value)?;
    }
    for expected in [(low, 2), (low, 4), (high, 1), (high, 3)] {
        let info = sys::wait_for(both, Duration::from_secs(5))?;
        same!((info.signal, info.value), expected);
    }
    same!(sys::pending()?, 0);
    Ok(())
}

fn standard_signal() -> Result {
    sys::take(libc::SIGUSR1, Take::Note, 0, 0)?;
    sys::queue(sys::pid(), libc::SIGUSR1, 0x1234)?;
    let info = sys::last().info;
    same!((info.code, info.value), (libc::SI_QUEUE, 0x1234));
    Ok(())
}

fn refused() -> Result {
    same!(errno(sys::queue(sys::pid(), 65, 0)), libc::EINVAL);
    same!(errno(sys::kill(sys::pid(), -1)), libc::EINVAL);
    // Signal 0 only asks whether the process exists.
    same!(errno(sys::kill(sys::pid(), 0)), 0);
    same!(errno(sys::kill(i32::MAX, 0)), libc::ESRCH);
    same!(errno(sys::tgkill(sys::pid(), i32::MAX, 0)), libc::ESRCH);
    Ok(())
}

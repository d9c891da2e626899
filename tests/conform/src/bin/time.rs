//! Calendars, time zones, strftime and strptime, timers, and setting files' times.

use conform::{Group, Random};
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::sync::atomic::{AtomicI32, Ordering};

unsafe extern "C" {
    static tzname: [*const c_char; 2];
    static daylight: c_int;
    static timezone: c_long;
    fn tzset();
    fn asctime(fields: *const libc::tm) -> *const c_char;
    fn asctime_r(fields: *const libc::tm, out: *mut c_char) -> *const c_char;
    fn ctime(time: *const i64) -> *const c_char;
    fn ctime_r(time: *const i64, out: *mut c_char) -> *const c_char;
    fn strptime(text: *const c_char, format: *const c_char, out: *mut libc::tm) -> *const c_char;
    fn timelocal(fields: *mut libc::tm) -> i64;
    fn timespec_get(out: *mut libc::timespec, base: c_int) -> c_int;
    fn getitimer(which: c_int, out: *mut libc::itimerval) -> c_int;
    fn setitimer(which: c_int, new: *const libc::itimerval, old: *mut libc::itimerval) -> c_int;
    fn ualarm(micros: u32, interval: u32) -> u32;
    fn timer_create(clock: c_int, event: *const Event, out: *mut *mut c_void) -> c_int;
    fn timer_settime(
        timer: *mut c_void,
        flags: c_int,
        new: *const libc::itimerspec,
        old: *mut libc::itimerspec,
    ) -> c_int;
    fn timer_gettime(timer: *mut c_void, out: *mut libc::itimerspec) -> c_int;
    fn timer_getoverrun(timer: *mut c_void) -> c_int;
    fn timer_delete(timer: *mut c_void) -> c_int;
    fn utime(path: *const c_char, times: *const libc::utimbuf) -> c_int;
    fn futimes(fd: c_int, times: *const libc::timeval) -> c_int;
    fn lutimes(path: *const c_char, times: *const libc::timeval) -> c_int;
    fn futimesat(dir: c_int, path: *const c_char, times: *const libc::timeval) -> c_int;
    fn ftime(out: *mut Timeb) -> c_int;
    fn adjtime(delta: *const libc::timeval, left: *mut libc::timeval) -> c_int;
    fn settimeofday(new: *const libc::timeval, zone: *const c_void) -> c_int;
    fn clock_getcpuclockid(pid: c_int, out: *mut c_int) -> c_int;
}

#[repr(C)]
struct Timeb {
    time: i64,
    millitm: u16,
    timezone: i16,
    dstflag: i16,
}

#[repr(C)]
struct Event {
    value: usize,
    signal: c_int,
    notify: c_int,
    function: usize,
    attributes: usize,
    rest: [usize; 4],
}

const ZONES: [&str; 44] = [
    "UTC",
    "",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Moscow",
    "Africa/Casablanca",
    "Africa/Tunis",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Caracas",
    "America/Argentina/San_Luis",
    "America/Anchorage",
    "Asia/Tokyo",
    "Asia/Tehran",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "Asia/Singapore",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Antarctica/Troll",
    "Atlantic/Azores",
    "America/Nuuk",
    "Asia/Pyongyang",
    ":Europe/Paris",
    ":/usr/share/zoneinfo/Asia/Seoul",
    "EST5EDT,M3.2.0,M11.1.0",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1",
    "NZST-12NZDT,M9.5.0,M4.1.0/3",
    "AAA1BBB2,J60/1:30:15,J300/25",
    "XXX-5:45YYY,59,364/167",
    "Foo",
    "X5",
    "AAA25",
    "UTC0",
    "<+1130>-11:30",
    "JST-9garbage,1,2",
    "IST-1GMT0,M10.5.0,M3.5.0/1",
];

/// Every field of a broken-down time.
fn show(fields: &libc::tm) -> String {
    // SAFETY: the zone's name is a string or null.
    let zone = unsafe { if fields.tm_zone.is_null() { c"null" } else { CStr::from_ptr(fields.tm_zone) } };
    format!(
        "{}-{}-{} {}:{}:{} wday {} yday {} dst {} off {} {zone:?}",
        fields.tm_year,
        fields.tm_mon,
        fields.tm_mday,
        fields.tm_hour,
        fields.tm_min,
        fields.tm_sec,
        fields.tm_wday,
        fields.tm_yday,
        fields.tm_isdst,
        fields.tm_gmtoff
    )
}

fn blank() -> libc::tm {
    // SAFETY: all-zero is a valid struct.
    unsafe { std::mem::zeroed() }
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// A moment: mostly of this age, sometimes far off, sometimes next to a change of the zone.
fn moment(random: &mut Random) -> i64 {
    match random.below(8) {
        // glibc's rules for daylight-saving time are wrong beyond 5.8 million years.
        0 => random.next() as i64 >> (17 + random.below(40)),
        1 => random.next() as i64 % 100_000_000_000,
        2 => (random.below(140) as i64 - 70) * 31_557_600 / 2 * 2 + random.below(100) as i64,
        _ => random.below(6_000_000_000) as i64 - 2_500_000_000,
    }
}

fn zones(random: &mut Random) {
    let mut group = Group::new("localtime and mktime");
    for zone in ZONES {
        // SAFETY: no other thread runs; all buffers are ours.
        unsafe {
            let name = CString::new(zone).expect("no NUL");
            libc::setenv(c"TZ".as_ptr(), name.as_ptr(), 1);
            tzset();
            let names = [CStr::from_ptr(tzname[0]), CStr::from_ptr(tzname[1])];
            println!("{zone}: {names:?} {daylight} {timezone}");
            for _ in 0..1500 {
                let time = moment(random);
                let mut fields = blank();
                let found = libc::localtime_r(&time, &mut fields);
                if found.is_null() {
                    group.add(format_args!("{zone} {time} error {}", errno()));
                    continue;
                }
                group.add(format_args!("{zone} {time} {}", show(&fields)));
                if random.below(2) == 0 {
                    fields.tm_isdst = random.below(3) as i32 - 1;
                    fields.tm_mon += random.below(40) as i32 - 20;
                    fields.tm_mday += random.below(400) as i32 - 200;
                    fields.tm_hour += random.below(100) as i32 - 50;
                    fields.tm_sec += random.below(200) as i32 - 100;
                }
                let back = libc::mktime(&mut fields);
                group.add(format_args!("{zone} {back} {}", show(&fields)));
                let utc = libc::timegm(&mut fields);
                group.add(format_args!("{zone} utc {utc} {}", show(&fields)));
                let text = CStr::from_ptr(libc::localtime(&time).as_ref().map_or(c"".as_ptr(), |found| asctime(found)));
                let names = [CStr::from_ptr(tzname[0]), CStr::from_ptr(tzname[1])];
                group.add(format_args!("{zone} {text:?} {names:?} {daylight} {timezone}"));
            }
        }
    }
    group.end();
}

/// Readings of the clock around each change of a year, hour by hour.
fn changes() {
    let mut group = Group::new("mktime around changes");
    for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Europe/Dublin"] {
        // SAFETY: as above.
        unsafe {
            libc::setenv(c"TZ".as_ptr(), CString::new(zone).expect("no NUL").as_ptr(), 1);
            for half_hour in 0..366 * 48 {
                for dst in [-1, 0, 1] {
                    let mut fields = blank();
                    fields.tm_year = 122;
                    fields.tm_mday = 1;
                    fields.tm_min = half_hour * 30;
                    fields.tm_isdst = dst;
                    let time = timelocal(&mut fields);
                    group.add(format_args!("{zone} {half_hour} {dst} {time} {}", show(&fields)));
                }
            }
        }
    }
    group.end();
}

fn formats(random: &mut Random) {
    const CONVERSIONS: &[u8] = b"aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%qQ+E";
    let mut group = Group::new("strftime");
    let mut back = Group::new("strptime");
    // SAFETY: as above.
    unsafe {
        libc::setenv(c"TZ".as_ptr(), c"America/New_York".as_ptr(), 1);
        for _ in 0..60_000 {
            let time = moment(random);
            let mut fields = blank();
            if libc::localtime_r(&time, &mut fields).is_null() {
                continue;
            }
            let mut format = Vec::new();
            for _ in 0..=random.below(3) {
                format.push(b'%');
                for _ in 0..random.below(3) {
                    format.push(*random.pick(b"_-0^#"));
                }
                if random.below(3) == 0 {
                    format.extend_from_slice(random.below(14).to_string().as_bytes());
                }
                if random.below(5) == 0 {
                    format.push(*random.pick(b"EO"));
                }
                format.push(*random.pick(CONVERSIONS));
                format.push(*random.pick(b" /x"));
            }
            let format = CString::new(format).expect("no NUL");
            let mut buffer = [0; 128];
            let room = if random.below(8) == 0 { random.below(20) as usize } else { 128 };
            let len = libc::strftime(buffer.as_mut_ptr(), room, format.as_ptr(), &fields);
            let text = if len > 0 { CStr::from_ptr(buffer.as_ptr()) } else { c"" };
            group.add(format_args!("{time} {format:?} {room} {len} {text:?}"));
        }
        for _ in 0..60_000 {
            let time = random.below(8_000_000_000) as i64 - 2_500_000_000;
            let mut fields = blank();
            libc::gmtime_r(&time, &mut fields);
            let mut format = Vec::new();
            for _ in 0..=random.below(5) {
                format.push(b'%');
                if random.below(8) == 0 {
                    format.push(if format.len() == 1 { b'O' } else { *random.pick(b"_0^") });
                }
                format.push(*random.pick(b"aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%"));
                format.push(*random.pick(b" /:"));
            }
            let format = CString::new(format).expect("no NUL");
            let mut buffer = [0; 256];
            libc::strftime(buffer.as_mut_ptr(), 256, format.as_ptr(), &fields);
            if random.below(4) == 0 {
                let at = random.below(16) as usize;
                if buffer[at] != 0 {
                    buffer[at] = *random.pick(b"0 9xA+:") as c_char;
                }
            }
            let mut read = blank();
            let end = strptime(buffer.as_ptr(), format.as_ptr(), &mut read);
            let text = CStr::from_ptr(buffer.as_ptr());
            // What glibc makes of the year 0 and of days outside the year depends on what lies behind its tables.
            let strange = read.tm_year <= -1900 || read.tm_mday < 0 || read.tm_mon > 11 || read.tm_yday > 364;
            if strange {
                continue;
            }
            if end.is_null() {
                back.add(format_args!("{format:?} {text:?} refused"));
            } else {
                back.add(format_args!("{format:?} {text:?} {} {}", end.offset_from(buffer.as_ptr()), show(&read)));
            }
        }
        for (text, format) in [
            (c"+02:30", c"%z"),
            (c"-0060", c"%z"),
            (c"Z", c"%z"),
            (c"+1", c"%z"),
            (c"12 PM", c"%I %p"),
            (c"12 am", c"%I %p"),
            (c"2021 10 3", c"%Y %U %w"),
            (c"2021 10 3", c"%Y %W %u"),
            (c"20 69", c"%C %y"),
            (c"366 2020", c"%j %Y"),
            (c"  7", c"%e"),
            (c"7 8", c"%n%d%t%m"),
            (c"monday", c"%a"),
            (c"1234567890", c"%s"),
            (c"x", c"%5"),
            (c"2021", c"%-Y"),
        ] {
            let mut read = blank();
            let end = strptime(text.as_ptr(), format.as_ptr(), &mut read);
            let len = if end.is_null() { -1 } else { end.offset_from(text.as_ptr()) };
            println!("strptime {text:?} {format:?} {len} {}", show(&read));
        }
    }
    group.end();
    back.end();
}

fn texts() {
    // SAFETY: as above.
    unsafe {
        libc::setenv(c"TZ".as_ptr(), c"Asia/Tokyo".as_ptr(), 1);
        let time = 1_600_000_000;
        let mut buffer = [0; 26];
        println!("{:?} {:?}", CStr::from_ptr(ctime(&time)), CStr::from_ptr(ctime_r(&time, buffer.as_mut_ptr())));
        let mut fields = blank();
        fields.tm_mon = 12;
        fields.tm_wday = -1;
        println!("{:?}", CStr::from_ptr(asctime_r(&fields, buffer.as_mut_ptr())));
        fields.tm_year = i32::MAX;
        println!("{} {}", asctime(&fields).is_null(), errno());
        let far = i64::MAX;
        println!("{} {}", libc::gmtime(&far).is_null(), errno());
        println!("{}", libc::difftime(5, 7));
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: -1 };
        println!("{} {} {}", timespec_get(&mut now, 1), timespec_get(&mut now, 7), now.tv_nsec >= 0);
        let mut old = Timeb { time: 0, millitm: 9999, timezone: 1, dstflag: 1 };
        println!("{} {} {} {} {}", ftime(&mut old), old.time > 0, old.millitm < 1000, old.timezone, old.dstflag);
    }
}

/// Errors of the calls that set clocks; none of these changes one.
fn setting() {
    // SAFETY: as above.
    unsafe {
        let wrong = libc::timeval { tv_sec: 0, tv_usec: 1_000_000 };
        println!("settimeofday {} {}", settimeofday(&wrong, std::ptr::null()), errno());
        println!("settimeofday {} {}", settimeofday(&wrong, (&raw const wrong).cast()), errno());
        let far = libc::timeval { tv_sec: 5000, tv_usec: 0 };
        println!("adjtime {} {}", adjtime(&far, std::ptr::null_mut()), errno());
        let wrong = libc::timespec { tv_sec: 0, tv_nsec: -1 };
        println!("clock_settime {} {}", libc::clock_settime(libc::CLOCK_MONOTONIC, &wrong), errno());
        let mut clock = 0;
        println!("clock_getcpuclockid {} {}", clock_getcpuclockid(0, &mut clock), clock);
    }
}

static CAUGHT: AtomicI32 = AtomicI32::new(0);

extern "C" fn caught(signal: c_int) {
    CAUGHT.store(signal, Ordering::SeqCst);
}

extern "C" fn on_timer(value: usize) {
    CAUGHT.store(value as i32, Ordering::SeqCst);
}

/// Waits for [`CAUGHT`], which a signal or a thread sets.
fn await_caught() -> i32 {
    while CAUGHT.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    CAUGHT.swap(0, Ordering::SeqCst)
}

fn timers() {
    // SAFETY: the handlers only store to an atomic; all buffers are ours.
    unsafe {
        libc::signal(libc::SIGALRM, caught as extern "C" fn(c_int) as usize);
        libc::signal(libc::SIGUSR1, caught as extern "C" fn(c_int) as usize);
        println!("alarm {} {} {}", libc::alarm(100), libc::alarm(50), libc::alarm(0));
        println!("ualarm {} caught {}", ualarm(1000, 0), await_caught());
        let zero = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let mut timer = libc::itimerval {
            it_interval: libc::timeval { tv_sec: 9, tv_usec: 0 },
            it_value: libc::timeval { tv_sec: 99, tv_usec: 0 },
        };
        println!("setitimer {}", setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()));
        println!(
            "getitimer {} {} {}",
            getitimer(libc::ITIMER_REAL, &mut timer),
            timer.it_value.tv_sec >= 98,
            timer.it_interval.tv_sec
        );
        let off = libc::itimerval { it_interval: zero, it_value: zero };
        println!("setitimer {} {}", setitimer(libc::ITIMER_REAL, &off, &mut timer), timer.it_interval.tv_sec);
        println!("getitimer {} {}", getitimer(7, &mut timer), errno());

        let mut id = std::ptr::null_mut();
        println!("timer_create {} {}", timer_create(99, std::ptr::null(), &mut id), errno());
        for (notify, function) in [(0, 0), (1, 0), (2, on_timer as extern "C" fn(usize) as usize)] {
            let event = Event { value: 77, signal: libc::SIGUSR1, notify, function, attributes: 0, rest: [0; 4] };
            println!("timer_create {notify} {}", timer_create(libc::CLOCK_MONOTONIC, &event, &mut id));
            let brief = libc::timespec { tv_sec: 0, tv_nsec: 2_000_000 };
            let none = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            let set = libc::itimerspec { it_interval: none, it_value: brief };
            let mut old = set;
            println!("timer_settime {} {}", timer_settime(id, 0, &set, &mut old), old.it_value.tv_nsec);
            if notify != 1 {
                println!("caught {}", await_caught());
            }
            println!("timer_gettime {} overrun {}", timer_gettime(id, &mut old), timer_getoverrun(id));
            let wrong = libc::itimerspec { it_interval: none, it_value: libc::timespec { tv_sec: 0, tv_nsec: -5 } };
            println!("timer_settime {} {}", timer_settime(id, 0, &wrong, std::ptr::null_mut()), errno());
            println!("timer_delete {}", timer_delete(id));
        }
    }
}

fn file_times() {
    let path = std::env::temp_dir().join(format!("conform-time-{}", std::process::id()));
    std::fs::write(&path, "x").expect("a writable temporary directory");
    let name = CString::new(path.to_str().expect("a UTF-8 path")).expect("no NUL");
    let fd = std::os::fd::IntoRawFd::into_raw_fd(std::fs::File::open(&path).expect("our file"));
    let times = |a, b| [libc::timeval { tv_sec: a, tv_usec: 5 }, libc::timeval { tv_sec: b, tv_usec: 999_999 }];
    let look = |what: &str, result: c_int| {
        use std::os::unix::fs::MetadataExt;
        let found = std::fs::metadata(&path).expect("our file");
        println!("{what} {result} {} {} {} {}", found.atime(), found.atime_nsec(), found.mtime(), found.mtime_nsec());
    };
    // SAFETY: as above.
    unsafe {
        look("utime", utime(name.as_ptr(), &libc::utimbuf { actime: 1000, modtime: 2000 }));
        look("utimes", libc::utimes(name.as_ptr(), times(3, 4).as_ptr()));
        look("futimes", futimes(fd, times(5, 6).as_ptr()));
        look("lutimes", lutimes(name.as_ptr(), times(7, 8).as_ptr()));
        look("futimesat", futimesat(libc::AT_FDCWD, name.as_ptr(), times(9, 10).as_ptr()));
        let wrong = [libc::timeval { tv_sec: 1, tv_usec: -1 }; 2];
        println!("utimes {} {}", libc::utimes(name.as_ptr(), wrong.as_ptr()), errno());
        println!("utime {} {}", utime(c"/nowhere/at/all".as_ptr(), std::ptr::null()), errno());
        libc::close(fd);
    }
    std::fs::remove_file(&path).expect("our file");
}

fn main() {
    let mut random = Random::new(2);
    zones(&mut random);
    changes();
    formats(&mut random);
    texts();
    setting();
    file_times();
    timers();
}

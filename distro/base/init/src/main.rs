//! init: runs the scripts of /etc/init.d, keeps their services running, ends the machine's run in good order, and, if the kernel's command
//! line asks for it, runs one command and leaves the virtual machine with its status.
//!
//! It stays in the namespace in which it started, with the initial file system at `/`, also when a script says `root`: so it can start
//! the services of that file system again when the server of the later one is gone. What belongs to the later one it starts through
//! itself: `init enter FD PROGRAM [ARGUMENT]...` enters the namespace FD and becomes PROGRAM. Nothing that init does after the scripts
//! waits for a server that it has to start.

mod service;
mod stop;
mod world;

use init::cmdline::Words;
use init::script::{self, Step};
use init::supervise::Restarts;
use init::{control, mounts, order};
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::event::{EPOLLIN, PollFd};
use ochre_scheme::abi::process::{RLIMIT_NOFILE, Rlimit};
use ochre_scheme::abi::syscall::{FOREVER, POWER_EXIT_VM};
use service::{Process, Service, State};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs};
use world::World;

/// The initial file system.
const INITFS: &str = "initfs";
/// Debug-exit codes that `cargo xtask exec` knows: the command's status was 0, or something else.
const EXIT_SUCCESS: u64 = 0x10;
const EXIT_FAILURE: u64 = 0x11;

struct Init {
    cmdline: Words,
    /// The root file system: a scheme, or a path in one.
    root: String,
    /// Where what comes next is started.
    world: World,
    environment: Vec<(String, String)>,
    /// In the order of their start.
    services: Vec<Service>,
    /// The command of `xtask exec`.
    command: Option<Process>,
    /// There is, or will be, such a command.
    runs_command: bool,
    /// Where requests come in, if that could be arranged.
    requests: Option<OwnedFd>,
    /// Prefixes, and what they were bound to.
    bound: Vec<(String, String)>,
}

fn main() {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_some_and(|word| word == world::ENTER) {
        world::enter(arguments.collect());
    }
    // The root file system's server, whose child this is, needs many descriptors; ordinary programs get Linux's usual limit.
    let files = Rlimit { current: 1024, max: 1 << 19 };
    if let Err(error) = syscall::limit(RLIMIT_NOFILE, Some(&files)) {
        eprintln!("init: RLIMIT_NOFILE: {error}");
    }
    let cmdline = Words::of(&fs::read_to_string("/scheme/sys/cmdline").unwrap_or_default());
    let command = cmdline.command();
    let requests = control::start().inspect_err(|error| eprintln!("init: the scheme init: {error}")).ok();
    let mut init = Init {
        cmdline,
        root: INITFS.to_owned(),
        world: World::Initial,
        environment: Vec::new(),
        services: Vec::new(),
        command: None,
        runs_command: command.is_some(),
        requests,
        bound: Vec::new(),
    };
    init.run_scripts();
    if let Some(words) = command {
        init.run_command(words);
    }
    loop {
        init.turn(None);
    }
}

/// Every script of a root file system by its name; errors are told and the rest counts.
fn read_scripts(root: &str, cmdline: &Words) -> BTreeMap<String, Vec<Step>> {
    let folder = format!("/scheme/{root}/etc/init.d");
    let mut scripts = BTreeMap::new();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) => {
            eprintln!("init: {folder}: {error}");
            return scripts;
        }
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !order::is_script(&name) {
            continue;
        }
        match fs::read_to_string(entry.path()) {
            Ok(text) => {
                let (steps, errors) = script::parse(&text, cmdline);
                errors.iter().for_each(|e| eprintln!("init: {name}:{}: {}", e.line, e.what));
                scripts.insert(name, steps);
            }
            Err(error) => eprintln!("init: {name}: {error}"),
        }
    }
    scripts
}

impl Init {
    /// Runs every script once: those of the initial file system, and from a switch of the root on, those of the new one.
    fn run_scripts(&mut self) {
        let mut root = self.root.clone();
        let mut scripts = read_scripts(&root, &self.cmdline);
        let mut done = BTreeSet::new();
        while let Some(name) = order::order(&scripts).into_iter().find(|name| !done.contains(name)) {
            done.insert(name.clone());
            for step in scripts.remove(&name).unwrap_or_default() {
                if let Err(what) = self.step(&step) {
                    eprintln!("init: {name}: {what}");
                }
            }
            if root != self.root {
                root = self.root.clone();
                scripts = read_scripts(&root, &self.cmdline);
            }
        }
        for (prefix, target) in &self.bound {
            mounts::show(INITFS, prefix, target);
            if self.root != INITFS {
                mounts::show(&self.root, prefix, target);
            }
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::RequiresWeak(_) => Ok(()),
            Step::Export(variables) => {
                self.environment.extend(variables.iter().cloned());
                Ok(())
            }
            Step::Bind(prefix, scheme) => {
                self.bound.push((prefix.clone(), scheme.clone()));
                self.world.bind(prefix, scheme).map_err(|e| format!("bind {prefix} {scheme}: {e}"))
            }
            Step::Root(scheme) => self.switch_root(scheme).map_err(|e| format!("root {scheme}: {e}")),
            Step::Start { console: true, .. } if self.runs_command => Ok(()),
            Step::Start { argv, schemes, notify, console } => {
                if *console {
                    eprintln!("init: the console, {}", since_start());
                }
                self.begin(Service {
                    argv: argv.clone(),
                    schemes: schemes.clone(),
                    notify: *notify,
                    restarts: Restarts::default(),
                    world: self.world.clone(),
                    state: State::Waiting(Instant::now()),
                })
            }
            Step::Run(argv) => match self.run(argv) {
                Ok(0) => Ok(()),
                Ok(status) => Err(format!("{}: status {status}", argv[0])),
                Err(error) => Err(format!("{}: {error}", argv[0])),
            },
        }
    }

    /// From here on `/` is `scheme` for what is started.
    fn switch_root(&mut self, scheme: &str) -> Result<(), String> {
        let name = scheme.split('/').next().unwrap_or_default();
        let mut servers = self.services.iter().filter(|service| service.schemes.iter().any(|s| s == name));
        if servers.any(|service| !service.is_ready()) {
            return Err("its server is not ready".to_owned());
        }
        fs::read_dir(format!("/scheme/{scheme}")).map_err(|e| e.to_string())?;
        self.world = self.world.with_root(scheme).map_err(|e| e.to_string())?;
        self.root = scheme.to_owned();
        eprintln!("init: {scheme} is the root file system, {}", since_start());
        Ok(())
    }

    /// A command with init's environment, to be started in that world.
    fn prepare<S: AsRef<OsStr>>(&self, argv: &[S], world: &World) -> Command {
        let mut command = world.command(argv);
        command.envs(self.environment.iter().map(|(n, v)| (n, v)));
        command
    }

    /// Runs a command and waits for its end; its status.
    fn run(&mut self, argv: &[String]) -> std::io::Result<i32> {
        let mut command = self.prepare(argv, &self.world);
        let process = Process::of(self.world.start(&mut command)?.id())?;
        loop {
            if let Some(status) = process.status() {
                return Ok(status);
            }
            self.turn(Some(&process.end));
        }
    }

    /// Starts a service for the first time, and waits until it is ready or has ended.
    fn begin(&mut self, service: Service) -> Result<(), String> {
        service.reserve(true);
        self.services.push(service);
        let number = self.services.len() - 1;
        self.start(number)?;
        while matches!(&self.services[number].state, State::Running { notify: Some(_), .. }) {
            self.turn(None);
        }
        let service = &self.services[number];
        if service.is_ready() { Ok(()) } else { Err(format!("{} ended before it was ready", service.argv[0])) }
    }

    fn start(&mut self, number: usize) -> Result<(), String> {
        let command = self.prepare(&self.services[number].argv, &self.services[number].world);
        let service = &mut self.services[number];
        service.start(command).map_err(|error| {
            service.state = State::GivenUp;
            service.reserve(false);
            format!("{}: {error}", service.argv[0])
        })
    }

    fn run_command(&mut self, words: Vec<Vec<u8>>) {
        let words: Vec<OsString> = words.into_iter().map(OsString::from_vec).collect();
        let mut command = self.prepare(&words, &self.world);
        let output = || fs::OpenOptions::new().write(true).open("/scheme/debug/com2").map(Stdio::from);
        let started = output().and_then(|out| {
            command.stdin(Stdio::null()).stdout(out).stderr(output()?);
            Process::of(self.world.start(&mut command)?.id())
        });
        match started {
            Ok(process) => self.command = Some(process),
            Err(error) => {
                eprintln!("init: {}: {error}", words[0].display());
                // What a shell gives for a command that it cannot run.
                leave(127);
            }
        }
    }

    /// Waits until something happens, and does what is due then: a service that ended is started again, the command's status is the
    /// machine's, a request is granted. Returns then, and also when `also` is readable.
    fn turn(&mut self, also: Option<&OwnedFd>) {
        let mut fds: Vec<PollFd> = Vec::new();
        let mut due: Option<Instant> = None;
        let command = self.command.as_ref().map(|command| &command.end);
        for fd in [also, self.requests.as_ref(), command].into_iter().flatten() {
            fds.push(readable(fd));
        }
        for service in &self.services {
            match &service.state {
                State::Running { process, notify, .. } => {
                    fds.push(readable(&process.end));
                    fds.extend(notify.as_ref().map(readable));
                }
                State::Waiting(until) => due = Some(due.map_or(*until, |due| due.min(*until))),
                State::GivenUp => {}
            }
        }
        let left = due.map(|due| due.saturating_duration_since(Instant::now()).as_nanos() as u64);
        if let Err(error) = syscall::poll(&mut fds, left.unwrap_or(FOREVER), None) {
            eprintln!("init: poll: {error}");
        }
        let happened = |fd: &OwnedFd| fds.iter().any(|other| other.fd == fd.get() && other.revents != 0);
        // The command may have been what asked.
        if let Some(ending) = self.requests.as_ref().filter(|requests| happened(requests)).and_then(control::take) {
            stop::end(ending, &self.services, &self.root, self.command.as_ref().map(|command| command.pid));
        }
        if let Some(status) = self.command.as_ref().filter(|c| happened(&c.end)).and_then(Process::status) {
            leave(status);
        }
        let ended: Vec<usize> = (0..self.services.len()).filter(|n| self.services[*n].look(&happened)).collect();
        for number in ended {
            if let Err(what) = self.start(number) {
                eprintln!("init: {what}");
            }
        }
    }
}

impl Service {
    /// Sees what became of it; true if it is to be started (again) now. `happened` tells of each descriptor whether it is readable.
    fn look(&mut self, happened: &dyn Fn(&OwnedFd) -> bool) -> bool {
        let now = Instant::now();
        match &mut self.state {
            State::Running { process, notify, ready, since } => {
                if let Some(pipe) = notify.take_if(|pipe| happened(pipe)) {
                    // If the pipe was closed without a word, it is not.
                    *ready = syscall::read(pipe.get(), &mut [0]) == Ok(1);
                }
                if !happened(&process.end) {
                    return false;
                }
                let (Some(status), since) = (process.status(), *since) else { return false };
                let name = &self.argv[0];
                match self.restarts.ended(now, since) {
                    Some(delay) if delay.is_zero() => {
                        eprintln!("init: {name} ended with status {status}; starting it again");
                        self.state = State::Waiting(now);
                        true
                    }
                    Some(delay) => {
                        let ms = delay.as_millis();
                        eprintln!("init: {name} ended with status {status} once more; starting it again in {ms} ms");
                        self.state = State::Waiting(now + delay);
                        false
                    }
                    None => {
                        eprintln!("init: {name} ended with status {status} too often; given up");
                        self.reserve(false);
                        self.state = State::GivenUp;
                        false
                    }
                }
            }
            State::Waiting(until) => *until <= now,
            State::GivenUp => false,
        }
    }
}

fn readable(fd: &OwnedFd) -> PollFd {
    PollFd { fd: fd.get(), events: EPOLLIN as u16, revents: 0 }
}

/// How long the machine has been running.
fn since_start() -> String {
    format!("{} ms after the kernel's start", ochre_rt::time::monotonic() / 1_000_000)
}

/// Tells the command's status as `cargo xtask exec` reads it, and leaves the virtual machine.
fn leave(status: i32) -> ! {
    println!("ochre: exit status {status}");
    let code = if status == 0 { EXIT_SUCCESS } else { EXIT_FAILURE };
    let error = syscall::power(POWER_EXIT_VM, code);
    eprintln!("init: cannot leave: {error:?}");
    std::process::exit(1)
}

//! init: runs the scripts of /etc/init.d, keeps their services running, and, if the kernel's command line asks for it, runs one command
//! and leaves the virtual machine with its status.
//!
//! It stays in the namespace in which it started, with the initial file system at `/`, also when a script says `root`: so it can start
//! the services of that file system again when the server of the later one is gone. What belongs to the later one it starts through
//! itself: `init enter FD PROGRAM [ARGUMENT]...` enters the namespace FD and becomes PROGRAM.

use init::cmdline::Words;
use init::mounts;
use init::order;
use init::script::{self, Step};
use init::supervise::Restarts;
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::Errno;
use ochre_scheme::abi::file::{F_SETFD, FD_CLOEXEC};
use ochre_scheme::abi::process::{P_ALL, RLIMIT_NOFILE, Rlimit, WEXITED};
use ochre_scheme::abi::signal::CLD_EXITED;
use ochre_scheme::abi::syscall::POWER_EXIT_VM;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::time::Instant;

/// The initial file system.
const INITFS: &str = "initfs";
/// This program, there.
const SELF: &str = "/sbin/init";
/// See [`enter`].
const ENTER: &str = "enter";
/// Debug-exit codes that `cargo xtask exec` knows: the command's status was 0, or something else.
const EXIT_SUCCESS: u64 = 0x10;
const EXIT_FAILURE: u64 = 0x11;

struct Service {
    argv: Vec<String>,
    schemes: Vec<String>,
    notify: bool,
    /// It is in its schemes' places.
    ready: bool,
    restarts: Restarts,
    world: World,
}

/// Where a program is started.
#[derive(Clone)]
enum World {
    /// In init's own namespace: `/` is the initial file system.
    Initial,
    /// In the namespace of this descriptor.
    Later(Rc<OwnedFd>),
}

impl World {
    /// Starts a command that [`Init::prepare`] made for this world.
    fn start(&self, command: &mut Command) -> std::io::Result<Child> {
        let World::Later(namespace) = self else { return command.spawn() };
        let inherit =
            |flags| syscall::fcntl(namespace.get(), F_SETFD, flags).map_err(|e| std::io::Error::from_raw_os_error(e.0));
        // No other program gets it.
        inherit(0)?;
        let child = command.spawn();
        inherit(FD_CLOEXEC)?;
        child
    }
}

struct Init {
    cmdline: Words,
    /// The root file system: a scheme, or a path in one.
    root: String,
    /// Where what comes next is started.
    world: World,
    environment: Vec<(String, String)>,
    services: HashMap<u32, Service>,
    /// The command of `xtask exec`.
    command: Option<u32>,
    /// There is, or will be, such a command.
    runs_command: bool,
    /// Prefixes, and what they were bound to.
    bound: Vec<(String, String)>,
}

fn main() {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_some_and(|word| word == ENTER) {
        enter(arguments.collect());
    }
    // The root file system's server, whose child this is, needs many descriptors; ordinary programs get Linux's usual limit.
    let files = Rlimit { current: 1024, max: 1 << 19 };
    if let Err(error) = syscall::limit(RLIMIT_NOFILE, Some(&files)) {
        eprintln!("init: RLIMIT_NOFILE: {error}");
    }
    let cmdline = Words::of(&fs::read_to_string("/scheme/sys/cmdline").unwrap_or_default());
    let command = cmdline.command();
    let mut init = Init {
        cmdline,
        root: INITFS.to_owned(),
        world: World::Initial,
        environment: Vec::new(),
        services: HashMap::new(),
        command: None,
        runs_command: command.is_some(),
        bound: Vec::new(),
    };
    init.run_scripts();
    if let Some(words) = command {
        init.run_command(words);
    }
    loop {
        init.wait();
    }
}

/// `init enter FD PROGRAM [ARGUMENT]...`: becomes PROGRAM in the namespace FD.
fn enter(arguments: Vec<OsString>) -> ! {
    let [namespace, program, rest @ ..] = &arguments[..] else {
        eprintln!("usage: init {ENTER} FD PROGRAM [ARGUMENT]...");
        std::process::exit(2);
    };
    let entered = namespace.to_str().and_then(|text| text.parse().ok()).ok_or(Errno::EBADF).and_then(|fd| {
        syscall::ns_enter(fd)?;
        syscall::close(fd)
    });
    let error = match entered {
        Ok(()) => Command::new(program).args(rest).current_dir("/").exec(),
        Err(error) => std::io::Error::from_raw_os_error(error.0),
    };
    eprintln!("init: {}: {error}", program.display());
    // What a shell gives for a command that it cannot run.
    std::process::exit(127)
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
                self.step(&name, &step);
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

    fn step(&mut self, script: &str, step: &Step) {
        let result = match step {
            Step::RequiresWeak(_) => Ok(()),
            Step::Export(variables) => {
                self.environment.extend(variables.iter().cloned());
                Ok(())
            }
            Step::Bind(prefix, scheme) => {
                self.bound.push((prefix.clone(), scheme.clone()));
                self.bind(prefix, scheme).map_err(|e| format!("bind {prefix} {scheme}: {e}"))
            }
            Step::Root(scheme) => self.switch_root(scheme).map_err(|e| format!("root {scheme}: {e}")),
            Step::Start { console: true, .. } if self.runs_command => Ok(()),
            Step::Start { argv, schemes, notify, console } => {
                if *console {
                    eprintln!("init: the console, {}", since_start());
                }
                let service = Service {
                    argv: argv.clone(),
                    schemes: schemes.clone(),
                    notify: *notify,
                    ready: false,
                    restarts: Restarts::default(),
                    world: self.world.clone(),
                };
                reserve(&service, true);
                self.start(service)
            }
            Step::Run(argv) => match self.run(argv) {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(format!("{}: {status}", argv[0])),
                Err(error) => Err(format!("{}: {error}", argv[0])),
            },
        };
        if let Err(what) = result {
            eprintln!("init: {script}: {what}");
        }
    }

    /// Binds a prefix in the namespace of what is started from here on.
    fn bind(&mut self, prefix: &str, scheme: &str) -> Result<(), Errno> {
        let World::Later(later) = &self.world else {
            return syscall::ns_bind(prefix.as_bytes(), scheme.as_bytes());
        };
        let here = OwnedFd::new(syscall::ns_open()?);
        syscall::ns_enter(later.get())?;
        let bound = syscall::ns_bind(prefix.as_bytes(), scheme.as_bytes()).and_then(|()| syscall::ns_open());
        syscall::ns_enter(here.get())?;
        self.world = World::Later(Rc::new(OwnedFd::new(bound?)));
        Ok(())
    }

    /// From here on `/` is `scheme` for what is started.
    fn switch_root(&mut self, scheme: &str) -> Result<(), String> {
        let name = scheme.split('/').next().unwrap_or_default();
        let mut servers = self.services.values().filter(|service| service.schemes.iter().any(|s| s == name));
        if servers.any(|service| !service.ready) {
            return Err("its server is not ready".to_owned());
        }
        fs::read_dir(format!("/scheme/{scheme}")).map_err(|e| e.to_string())?;
        if let World::Initial = self.world {
            let here = syscall::ns_open().map_err(|e| e.to_string())?;
            self.world = World::Later(Rc::new(OwnedFd::new(here)));
        }
        self.bind("/", scheme).map_err(|e| e.to_string())?;
        self.root = scheme.to_owned();
        eprintln!("init: {scheme} is the root file system, {}", since_start());
        Ok(())
    }

    /// A command with init's environment, to be started by [`World::start`].
    fn prepare<S: AsRef<OsStr>>(&self, argv: &[S], world: &World) -> Command {
        let mut command = match world {
            World::Initial => Command::new(&argv[0]),
            World::Later(namespace) => {
                let mut command = Command::new(SELF);
                command.arg(ENTER).arg(namespace.get().to_string()).arg(&argv[0]);
                command
            }
        };
        command.args(&argv[1..]).envs(self.environment.iter().map(|(n, v)| (n, v)));
        command
    }

    /// Runs a command and waits for its end.
    fn run(&self, argv: &[String]) -> std::io::Result<ExitStatus> {
        self.world.start(&mut self.prepare(argv, &self.world))?.wait()
    }

    /// Starts a service, and with `notify` waits until it is ready or has ended.
    fn start(&mut self, mut service: Service) -> Result<(), String> {
        let name = service.argv[0].clone();
        let told = |error: &dyn std::fmt::Display| format!("{name}: {error}");
        let mut command = self.prepare(&service.argv, &service.world);
        if !service.notify {
            let child = service.world.start(&mut command).map_err(|e| told(&e))?;
            service.ready = true;
            self.services.insert(child.id(), service);
            return Ok(());
        }
        let [ready, notify] = syscall::pipe(0).map_err(|e| told(&e))?;
        let marked = syscall::fcntl(ready, F_SETFD, FD_CLOEXEC);
        command.env("INIT_NOTIFY", notify.to_string());
        let child = service.world.start(&mut command);
        let closed = syscall::close(notify);
        let ready = OwnedFd::new(ready);
        let child = child.map_err(|e| told(&e))?;
        marked.map_err(|e| told(&e))?;
        closed.map_err(|e| told(&e))?;
        let mut byte = [0];
        let answer = syscall::read(ready.get(), &mut byte);
        service.ready = answer == Ok(1);
        self.services.insert(child.id(), service);
        match answer {
            Ok(1) => Ok(()),
            Ok(_) => Err(format!("{name} ended before it was ready")),
            Err(error) => Err(told(&error)),
        }
    }

    fn run_command(&mut self, words: Vec<Vec<u8>>) {
        let words: Vec<OsString> = words.into_iter().map(OsString::from_vec).collect();
        let program = words[0].clone();
        let mut command = self.prepare(&words, &self.world);
        let output = || fs::OpenOptions::new().write(true).open("/scheme/debug/com2").map(Stdio::from);
        let started = output().and_then(|out| {
            command.stdin(Stdio::null()).stdout(out).stderr(output()?);
            self.world.start(&mut command)
        });
        match started {
            Ok(child) => self.command = Some(child.id()),
            Err(error) => {
                eprintln!("init: {}: {error}", program.display());
                // What a shell gives for a command that it cannot run.
                leave(127);
            }
        }
    }

    /// Waits for a child to end: a service is started again, the command's status is the machine's.
    fn wait(&mut self) {
        let ended = match syscall::wait(P_ALL, 0, WEXITED) {
            Ok(Some(ended)) => ended,
            Ok(None) => return,
            Err(_) => {
                // No children at all: only a restart of the machine changes that.
                std::thread::park();
                return;
            }
        };
        let status = if ended.code == CLD_EXITED { ended.status } else { 128 + ended.status };
        if self.command == Some(ended.pid) {
            leave(status);
        }
        let Some(mut service) = self.services.remove(&ended.pid) else { return };
        let name = service.argv[0].clone();
        if service.restarts.ended(Instant::now()) {
            eprintln!("init: {name} ended with status {status}; starting it again");
            if let Err(what) = self.start(service) {
                eprintln!("init: {what}");
            }
        } else {
            eprintln!("init: {name} ended with status {status} too often; given up");
            reserve(&service, false);
        }
    }
}

/// Keeps (or gives up) a service's scheme names while it is not there.
fn reserve(service: &Service, keep: bool) {
    for scheme in &service.schemes {
        if let Err(error) = syscall::scheme_reserve(scheme.as_bytes(), u64::from(keep)) {
            eprintln!("init: scheme {scheme}: {error}");
        }
    }
}

/// Tells the command's status as `cargo xtask exec` reads it, and leaves the virtual machine.
fn leave(status: i32) -> ! {
    println!("ochre: exit status {status}");
    let code = if status == 0 { EXIT_SUCCESS } else { EXIT_FAILURE };
    let error = syscall::power(POWER_EXIT_VM, code);
    eprintln!("init: cannot leave: {error:?}");
    std::process::exit(1)
}

/// How long the machine has been running.
fn since_start() -> String {
    format!("{} ms after the kernel's start", ochre_rt::time::monotonic() / 1_000_000)
}

//! init: runs the scripts of /etc/init.d, keeps their services running, and, if the kernel's command line asks for it, runs one command
//! and leaves the virtual machine with its status.

use init::mounts;
use init::script::{self, Step};
use init::supervise::Restarts;
use init::{cmdline, order};
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::file::{F_SETFD, FD_CLOEXEC};
use ochre_scheme::abi::process::{P_ALL, RLIMIT_NOFILE, Rlimit, WEXITED};
use ochre_scheme::abi::signal::CLD_EXITED;
use ochre_scheme::abi::syscall::POWER_EXIT_VM;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::process::{Command, Stdio};
use std::time::Instant;

const SCRIPTS: &str = "/etc/init.d";
/// Debug-exit codes that `cargo xtask exec` knows: the command's status was 0, or something else.
const EXIT_SUCCESS: u64 = 0x10;
const EXIT_FAILURE: u64 = 0x11;

struct Service {
    argv: Vec<String>,
    schemes: Vec<String>,
    notify: bool,
    restarts: Restarts,
}

#[derive(Default)]
struct Init {
    environment: Vec<(String, String)>,
    services: HashMap<u32, Service>,
    /// The command of `xtask exec`.
    command: Option<u32>,
    /// There is, or will be, such a command.
    runs_command: bool,
    /// Prefixes that schemes were bound to.
    bound: Vec<String>,
}

fn main() {
    let mut init = Init::default();
    // The root file system's server, whose child this is, needs many descriptors; ordinary programs get Linux's usual limit.
    let files = Rlimit { current: 1024, max: 1 << 19 };
    if let Err(error) = syscall::limit(RLIMIT_NOFILE, Some(&files)) {
        eprintln!("init: RLIMIT_NOFILE: {error}");
    }
    let scripts = read_scripts();
    let line = fs::read_to_string("/scheme/sys/cmdline").unwrap_or_default();
    let command = cmdline::command(&line);
    init.runs_command = command.is_some();
    for name in order::order(&scripts) {
        scripts[&name].iter().for_each(|step| init.step(&name, step));
    }
    init.bound.iter().for_each(|prefix| mounts::show(prefix));
    if let Some(words) = command {
        init.run_command(words);
    }
    loop {
        init.wait();
    }
}

/// Every script by its name; errors are told and the rest counts.
fn read_scripts() -> BTreeMap<String, Vec<Step>> {
    let mut scripts = BTreeMap::new();
    let entries = match fs::read_dir(SCRIPTS) {
        Ok(entries) => entries,
        Err(error) => {
            eprintln!("init: {SCRIPTS}: {error}");
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
                let (steps, errors) = script::parse(&text);
                errors.iter().for_each(|e| eprintln!("init: {name}:{}: {}", e.line, e.what));
                scripts.insert(name, steps);
            }
            Err(error) => eprintln!("init: {name}: {error}"),
        }
    }
    scripts
}

impl Init {
    fn step(&mut self, script: &str, step: &Step) {
        let result = match step {
            Step::RequiresWeak(_) => Ok(()),
            Step::Export(variables) => {
                self.environment.extend(variables.iter().cloned());
                Ok(())
            }
            Step::Bind(prefix, scheme) => {
                self.bound.push(prefix.clone());
                syscall::ns_bind(prefix.as_bytes(), scheme.as_bytes())
                    .map_err(|e| format!("bind {prefix} {scheme}: {e}"))
            }
            Step::Start { console: true, .. } if self.runs_command => Ok(()),
            Step::Start { argv, schemes, notify, .. } => {
                let service = Service {
                    argv: argv.clone(),
                    schemes: schemes.clone(),
                    notify: *notify,
                    restarts: Restarts::default(),
                };
                reserve(&service, true);
                self.start(service)
            }
            Step::Run(argv) => match self.prepare(argv).status() {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(format!("{}: {status}", argv[0])),
                Err(error) => Err(format!("{}: {error}", argv[0])),
            },
        };
        if let Err(what) = result {
            eprintln!("init: {script}: {what}");
        }
    }

    fn prepare(&self, argv: &[String]) -> Command {
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]).envs(self.environment.iter().map(|(n, v)| (n, v)));
        command
    }

    /// Starts a service, and with `notify` waits until it is ready or has ended.
    fn start(&mut self, service: Service) -> Result<(), String> {
        let name = service.argv[0].clone();
        let told = |error: &dyn std::fmt::Display| format!("{name}: {error}");
        let mut command = self.prepare(&service.argv);
        if !service.notify {
            let child = command.spawn().map_err(|e| told(&e))?;
            self.services.insert(child.id(), service);
            return Ok(());
        }
        let [ready, notify] = syscall::pipe(0).map_err(|e| told(&e))?;
        let marked = syscall::fcntl(ready, F_SETFD, FD_CLOEXEC);
        command.env("INIT_NOTIFY", notify.to_string());
        let child = command.spawn();
        let closed = syscall::close(notify);
        let ready = OwnedFd::new(ready);
        let child = child.map_err(|e| told(&e))?;
        marked.map_err(|e| told(&e))?;
        closed.map_err(|e| told(&e))?;
        self.services.insert(child.id(), service);
        let mut byte = [0];
        match syscall::read(ready.get(), &mut byte) {
            Ok(1) => Ok(()),
            Ok(_) => Err(format!("{name} ended before it was ready")),
            Err(error) => Err(told(&error)),
        }
    }

    fn run_command(&mut self, words: Vec<Vec<u8>>) {
        let mut words = words.into_iter().map(OsString::from_vec);
        let program = words.next().unwrap_or_default();
        let mut command = Command::new(&program);
        command.args(words).envs(self.environment.iter().map(|(n, v)| (n, v)));
        let output = || fs::OpenOptions::new().write(true).open("/scheme/debug/com2").map(Stdio::from);
        let started = output().and_then(|out| {
            command.stdin(Stdio::null()).stdout(out).stderr(output()?);
            command.spawn()
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

//! Names below /proc: from a path to what it stands for.

use crate::kernel;
use ochre_scheme::{Errno, Result};

/// A process, or one thread of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub pid: u32,
    /// Set below /proc/PID/task.
    pub tid: Option<u32>,
}

impl Place {
    /// The path below /proc.
    pub fn path(&self) -> String {
        match self.tid {
            Some(tid) => format!("{}/task/{tid}", self.pid),
            None => self.pid.to_string(),
        }
    }

    /// The id that texts show: the thread's below task, else the process's.
    pub fn id(&self) -> u32 {
        self.tid.unwrap_or(self.pid)
    }
}

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// A folder of the system's own, by its path; the root is "".
    Folder(&'static str),
    /// A file of the system's own, by its path.
    System(&'static str),
    /// self, thread-self, mounts, net: links below /proc.
    Link(&'static str),
    Process(Place),
    Tasks(u32),
    /// A file of a process.
    File(Place, &'static str),
    /// exe, cwd, root: links out of /proc.
    Magic(Place, &'static str),
    Fds(Place),
    Fd(Place, i32),
    FdInfos(Place),
    FdInfo(Place, i32),
    Namespaces(Place),
    Namespace(Place, &'static str),
}

/// The system's own files, sorted within their folders.
pub const SYSTEM: &[&str] = &[
    "cmdline",
    "consoles",
    "cpuinfo",
    "devices",
    "filesystems",
    "loadavg",
    "meminfo",
    "misc",
    "partitions",
    "stat",
    "swaps",
    "sys/fs/file-max",
    "sys/fs/inotify/max_queued_events",
    "sys/fs/inotify/max_user_instances",
    "sys/fs/inotify/max_user_watches",
    "sys/fs/nr_open",
    "sys/fs/pipe-max-size",
    "sys/kernel/cap_last_cap",
    "sys/kernel/domainname",
    "sys/kernel/hostname",
    "sys/kernel/ngroups_max",
    "sys/kernel/osrelease",
    "sys/kernel/ostype",
    "sys/kernel/overflowgid",
    "sys/kernel/overflowuid",
    "sys/kernel/pid_max",
    "sys/kernel/random/boot_id",
    "sys/kernel/random/entropy_avail",
    "sys/kernel/random/poolsize",
    "sys/kernel/random/uuid",
    "sys/kernel/threads-max",
    "sys/kernel/version",
    "sys/vm/max_map_count",
    "sys/vm/overcommit_memory",
    "uptime",
    "version",
    "vmstat",
];
const FOLDERS: &[&str] = &["", "sys", "sys/fs", "sys/fs/inotify", "sys/kernel", "sys/kernel/random", "sys/vm"];
const LINKS: &[&str] = &["mounts", "self", "thread-self"];
/// Files of a process and of a thread.
pub const FILES: &[&str] = &[
    "auxv",
    "cgroup",
    "cmdline",
    "comm",
    "environ",
    "limits",
    "maps",
    "mem",
    "mountinfo",
    "mounts",
    "oom_adj",
    "oom_score",
    "oom_score_adj",
    "personality",
    "stat",
    "statm",
    "status",
    "wchan",
];
const MAGIC: &[&str] = &["cwd", "exe", "root"];
/// Kinds of namespaces, with Linux's numbers of the first ones (proc_ns.h).
pub const NAMESPACES: &[(&str, u32)] = &[
    ("cgroup", 0xefff_fffb),
    ("ipc", 0xefff_ffff),
    ("mnt", 0xf000_0000),
    ("net", 0xf000_0098),
    ("pid", 0xefff_fffc),
    ("time", 0xefff_fffa),
    ("user", 0xefff_fffd),
    ("uts", 0xefff_fffe),
];

/// What a component below a node stands for; ENOENT, ENOTDIR.
fn child(node: Node, name: &str) -> Result<Node> {
    let among = |list: &'static [&'static str]| list.iter().find(|own| **own == name).copied();
    match node {
        Node::Folder(folder) => {
            if folder.is_empty() {
                if let Some(link) = among(LINKS) {
                    return Ok(Node::Link(link));
                }
                if let Some(pid) = number(name) {
                    return kernel::status(pid).map(|_| Node::Process(Place { pid, tid: None }));
                }
            }
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            let folders = FOLDERS.iter().find(|own| **own == path).map(|own| Node::Folder(own));
            let files = || SYSTEM.iter().find(|own| **own == path).map(|own| Node::System(own));
            folders.or_else(files).ok_or(Errno::ENOENT)
        }
        Node::Process(place) => match name {
            "task" if place.tid.is_none() => Ok(Node::Tasks(place.pid)),
            "fd" => Ok(Node::Fds(place)),
            "fdinfo" => Ok(Node::FdInfos(place)),
            "ns" => Ok(Node::Namespaces(place)),
            _ => match among(MAGIC) {
                Some(link) => Ok(Node::Magic(place, link)),
                None => among(FILES).map(|file| Node::File(place, file)).ok_or(Errno::ENOENT),
            },
        },
        Node::Tasks(pid) => {
            let tid = number(name).ok_or(Errno::ENOENT)?;
            let found = kernel::threads(pid)?.iter().any(|thread| thread.tid == tid);
            if found { Ok(Node::Process(Place { pid, tid: Some(tid) })) } else { Err(Errno::ENOENT) }
        }
        Node::Fds(place) | Node::FdInfos(place) => {
            let fd = number(name).and_then(|fd| i32::try_from(fd).ok()).ok_or(Errno::ENOENT)?;
            Ok(if matches!(node, Node::Fds(_)) { Node::Fd(place, fd) } else { Node::FdInfo(place, fd) })
        }
        Node::Namespaces(place) => NAMESPACES
            .iter()
            .find(|(own, _)| *own == name)
            .map(|(own, _)| Node::Namespace(place, own))
            .ok_or(Errno::ENOENT),
        _ => Err(Errno::ENOTDIR),
    }
}

/// A decimal number as Linux takes it for a name: no sign, no zeros in front.
fn number(name: &str) -> Option<u32> {
    let plain = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    if plain { name.parse().ok() } else { None }
}

/// Who walks: the process and thread that /proc/self stands for.
#[derive(Clone, Copy, Debug)]
pub struct Walker {
    pub pid: u32,
    pub tid: u32,
}

/// Where a walk ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Walk {
    /// Here.
    At(Node),
    /// At a link out of /proc, with the rest of the path (empty, or without a leading '/') still to go.
    Out(Node, String),
}

impl Node {
    /// What a link of /proc itself points to.
    pub fn target(self, walker: Walker) -> Option<String> {
        match self {
            Node::Link("self") => Some(walker.pid.to_string()),
            Node::Link("thread-self") => Some(format!("{}/task/{}", walker.pid, walker.tid)),
            Node::Link("mounts") => Some("self/mounts".to_owned()),
            _ => None,
        }
    }

    /// Below it are other names.
    pub fn is_folder(self) -> bool {
        matches!(
            self,
            Node::Folder(_) | Node::Process(_) | Node::Tasks(_) | Node::Fds(_) | Node::FdInfos(_) | Node::Namespaces(_)
        )
    }

    /// It is a symbolic link.
    pub fn is_link(self) -> bool {
        matches!(self, Node::Link(_) | Node::Magic(..) | Node::Fd(..) | Node::Namespace(..))
    }

    /// The process it belongs to.
    pub fn place(self) -> Option<Place> {
        match self {
            Node::Process(place)
            | Node::File(place, _)
            | Node::Magic(place, _)
            | Node::Fds(place)
            | Node::Fd(place, _)
            | Node::FdInfos(place)
            | Node::FdInfo(place, _)
            | Node::Namespaces(place)
            | Node::Namespace(place, _) => Some(place),
            Node::Tasks(pid) => Some(Place { pid, tid: None }),
            Node::Folder(_) | Node::System(_) | Node::Link(_) => None,
        }
    }

    /// The folder above.
    fn parent(self) -> Node {
        match self {
            Node::Folder(path) | Node::System(path) => {
                let above = path.rsplit_once('/').map_or("", |(above, _)| above);
                Node::Folder(FOLDERS.iter().find(|own| **own == above).unwrap_or(&""))
            }
            Node::Link(_) | Node::Process(Place { tid: None, .. }) => Node::Folder(""),
            Node::Process(place) => Node::Tasks(place.pid),
            Node::Tasks(pid) => Node::Process(Place { pid, tid: None }),
            Node::File(place, _)
            | Node::Magic(place, _)
            | Node::Fds(place)
            | Node::FdInfos(place)
            | Node::Namespaces(place) => Node::Process(place),
            Node::Fd(place, _) => Node::Fds(place),
            Node::FdInfo(place, _) => Node::FdInfos(place),
            Node::Namespace(place, _) => Node::Namespaces(place),
        }
    }

    /// Its path below /proc.
    pub fn path(self) -> String {
        match self {
            Node::Folder(path) | Node::System(path) | Node::Link(path) => path.to_owned(),
            Node::Process(place) => place.path(),
            Node::Tasks(pid) => format!("{pid}/task"),
            Node::File(place, name) | Node::Magic(place, name) => format!("{}/{name}", place.path()),
            Node::Fds(place) => format!("{}/fd", place.path()),
            Node::Fd(place, fd) => format!("{}/fd/{fd}", place.path()),
            Node::FdInfos(place) => format!("{}/fdinfo", place.path()),
            Node::FdInfo(place, fd) => format!("{}/fdinfo/{fd}", place.path()),
            Node::Namespaces(place) => format!("{}/ns", place.path()),
            Node::Namespace(place, name) => format!("{}/ns/{name}", place.path()),
        }
    }

    /// Names in a static folder, of folders and files, sorted.
    pub fn names(folder: &str) -> Vec<(String, Node)> {
        let below = |path: &'static str| match path.rsplit_once('/') {
            Some((above, name)) => (above == folder).then_some(name),
            None => (folder.is_empty() && !path.is_empty()).then_some(path),
        };
        let folders = FOLDERS.iter().filter_map(|path| Some((below(path)?.to_owned(), Node::Folder(path))));
        let files = SYSTEM.iter().filter_map(|path| Some((below(path)?.to_owned(), Node::System(path))));
        let links = LINKS.iter().filter(|_| folder.is_empty()).map(|name| ((*name).to_owned(), Node::Link(name)));
        folders.chain(files).chain(links).collect()
    }

    /// Names in a process's folder.
    pub fn process_names(place: Place) -> Vec<(String, Node)> {
        let mut names = vec![
            ("fd".to_owned(), Node::Fds(place)),
            ("fdinfo".to_owned(), Node::FdInfos(place)),
            ("ns".to_owned(), Node::Namespaces(place)),
        ];
        if place.tid.is_none() {
            names.push(("task".to_owned(), Node::Tasks(place.pid)));
        }
        names.extend(MAGIC.iter().map(|name| ((*name).to_owned(), Node::Magic(place, name))));
        names.extend(FILES.iter().map(|name| ((*name).to_owned(), Node::File(place, name))));
        names
    }
}

/// Walks `path` from a folder. Links within /proc are followed, the last one only if `follow`. ENOENT, ENOTDIR, ELOOP.
pub fn walk(from: Node, path: &[u8], walker: Walker, follow: bool) -> Result<Walk> {
    let path = std::str::from_utf8(path).map_err(|_| Errno::ENOENT)?;
    let mut at = from;
    // Links here never lead to links that lead back, so that the path can only grow by a few components.
    let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let trailing = path.ends_with('/');
    while let Some(name) = left.pop() {
        match name.as_str() {
            "" | "." => {
                if !at.is_folder() {
                    return Err(Errno::ENOTDIR);
                }
                continue;
            }
            ".." => {
                at = at.parent();
                continue;
            }
            _ => {}
        }
        let next = child(at, &name)?;
        let last = left.is_empty();
        if !next.is_link() || (last && !follow) {
            at = next;
            continue;
        }
        match next.target(walker) {
            Some(target) => {
                left.extend(target.split('/').rev().map(str::to_owned));
                at = Node::Folder("");
            }
            None => {
                let rest: Vec<&str> = left.iter().rev().map(String::as_str).filter(|part| !part.is_empty()).collect();
                let rest = rest.join("/");
                return Ok(Walk::Out(next, if trailing && rest.is_empty() { ".".to_owned() } else { rest }));
            }
        }
    }
    Ok(Walk::At(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Walker = Walker { pid: 1, tid: 1 };

    fn at(path: &str) -> Result<Walk> {
        walk(Node::Folder(""), path.as_bytes(), ME, true)
    }

    #[test]
    fn static_names() {
        assert_eq!(at(""), Ok(Walk::At(Node::Folder(""))));
        assert_eq!(at("sys/kernel/../vm/overcommit_memory"), Ok(Walk::At(Node::System("sys/vm/overcommit_memory"))));
        assert_eq!(at("sys/kernel/random/"), Ok(Walk::At(Node::Folder("sys/kernel/random"))));
        assert_eq!(at("stat/x"), Err(Errno::ENOTDIR));
        assert_eq!(at("stat/"), Err(Errno::ENOTDIR));
        assert_eq!(at("nothing"), Err(Errno::ENOENT));
        assert_eq!(at("../../version"), Ok(Walk::At(Node::System("version"))));
        assert_eq!(walk(Node::Folder(""), b"self", ME, false), Ok(Walk::At(Node::Link("self"))));
    }

    #[test]
    fn every_static_name_is_found() {
        for folder in FOLDERS {
            for (name, node) in Node::names(folder) {
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                assert_eq!(walk(Node::Folder(""), path.as_bytes(), ME, false), Ok(Walk::At(node)));
                assert_eq!(node.path(), path);
            }
        }
    }

    #[test]
    fn names_in_a_process() {
        let place = Place { pid: 7, tid: None };
        for (name, node) in Node::process_names(place) {
            assert_eq!(walk(Node::Process(place), name.as_bytes(), ME, false), Ok(Walk::At(node)));
        }
        let out = walk(Node::Process(place), b"cwd/a/b", ME, true);
        assert_eq!(out, Ok(Walk::Out(Node::Magic(place, "cwd"), "a/b".to_owned())));
        assert_eq!(walk(Node::Fds(place), b"+3", ME, false), Err(Errno::ENOENT));
        assert_eq!(walk(Node::Fds(place), b"03", ME, false), Err(Errno::ENOENT));
        assert_eq!(walk(Node::Fds(place), b"3", ME, false), Ok(Walk::At(Node::Fd(place, 3))));
    }
}

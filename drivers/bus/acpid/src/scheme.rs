//! The tree: `tables/` with the firmware's tables by signature and number, as the kernel found them. Only root may read these, as on Linux.

use ochre_scheme::abi::file::{DT_DIR, DT_REG, O_ACCMODE, O_PATH, O_RDONLY, S_IFDIR, S_IFREG, Stat, put_dirent};
use ochre_scheme::{Answer, Errno, Op, Request, Result, Scheme};
use std::collections::{BTreeMap, HashMap};

/// The scheme.
#[derive(Debug)]
pub struct Acpi {
    tables: BTreeMap<String, Vec<u8>>,
    handles: HashMap<u64, Node>,
    next: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Root,
    Tables,
    Table(String),
}

impl Acpi {
    /// Over these tables, by name.
    pub fn new(tables: BTreeMap<String, Vec<u8>>) -> Acpi {
        Acpi { tables, handles: HashMap::new(), next: 0 }
    }

    fn find(&self, base: &Node, path: &str) -> Result<Node> {
        path.split('/').filter(|part| !part.is_empty() && *part != ".").try_fold(base.clone(), |node, part| {
            match (&node, part) {
                (Node::Table(_), _) => Err(Errno::ENOTDIR),
                (_, "..") => Ok(Node::Root),
                (Node::Root, "tables") => Ok(Node::Tables),
                (Node::Tables, name) if self.tables.contains_key(name) => Ok(Node::Table(name.into())),
                _ => Err(Errno::ENOENT),
            }
        })
    }

    fn names(&self, node: &Node) -> Result<Vec<(&str, u8)>> {
        match node {
            Node::Root => Ok(vec![("tables", DT_DIR)]),
            Node::Tables => Ok(self.tables.keys().map(|name| (name.as_str(), DT_REG)).collect()),
            Node::Table(_) => Err(Errno::ENOTDIR),
        }
    }
}

impl Scheme for Acpi {
    fn open(&mut self, request: &mut Request, flags: u32, _mode: u32) -> Result<Answer> {
        let base = match request.handle() {
            0 => &Node::Root,
            handle => self.handles.get(&handle).ok_or(Errno::EBADF)?,
        };
        let path = std::str::from_utf8(request.payload()).map_err(|_| Errno::ENOENT)?;
        let node = self.find(base, path)?;
        let table = matches!(node, Node::Table(_));
        let reads = flags & O_ACCMODE == O_RDONLY;
        match (flags & O_PATH, table) {
            (0, true) if !reads || request.caller().uid != 0 => return Err(Errno::EACCES),
            (0, false) if !reads => return Err(Errno::EISDIR),
            _ => {}
        }
        self.next += 1;
        self.handles.insert(self.next, node);
        let answer = Answer::opened(self.next).seekable();
        Ok(if table { answer } else { answer.directory() })
    }

    fn close(&mut self, handle: u64) {
        self.handles.remove(&handle);
    }

    fn read(&mut self, request: &mut Request, position: Option<u64>, _len: usize) -> Result<Answer> {
        let Some(Node::Table(name)) = self.handles.get(&request.handle()) else { return Err(Errno::EISDIR) };
        let start = usize::try_from(position.unwrap_or(0)).unwrap_or(usize::MAX);
        request.put(self.tables.get(name).and_then(|table| table.get(start..)).unwrap_or_default())?;
        request.data_answer()
    }

    fn stat(&mut self, handle: u64) -> Result<Stat> {
        let stat = |mode, size: usize| Stat { ino: handle, nlink: 1, mode, size: size as i64, ..Stat::default() };
        Ok(match self.handles.get(&handle).ok_or(Errno::EBADF)? {
            Node::Table(name) => stat(S_IFREG | 0o400, self.tables.get(name).map_or(0, Vec::len)),
            Node::Root | Node::Tables => stat(S_IFDIR | 0o555, 0),
        })
    }

    fn other(&mut self, request: &mut Request, op: Op) -> Result<Answer> {
        let Op::GetDents { position, .. } = op else { return Err(Errno::ENOSYS) };
        let names = self.names(self.handles.get(&request.handle()).ok_or(Errno::EBADF)?)?;
        let mut page = [0u8; 4096];
        let room = request.room().min(page.len());
        let start = usize::try_from(position).unwrap_or(usize::MAX).min(names.len());
        let (mut len, mut next) = (0, start as u64);
        for (name, kind) in &names[start..] {
            if !put_dirent(&mut page[..room], &mut len, next + 1, next + 1, *kind, name.as_bytes()) {
                break;
            }
            next += 1;
        }
        if len == 0 && start < names.len() {
            return Err(Errno::EINVAL);
        }
        request.put(&page[..len])?;
        Ok(Answer::value(len).with_args([next, 0, 0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_tables_and_nowhere_else() {
        let acpi = Acpi::new(BTreeMap::from([("FACP0".into(), vec![1, 2])]));
        let find = |path| acpi.find(&Node::Root, path);
        assert_eq!(find(""), Ok(Node::Root));
        assert_eq!(find("tables/"), Ok(Node::Tables));
        assert_eq!(find("tables/../tables/FACP0"), Ok(Node::Table("FACP0".into())));
        assert_eq!(find("tables/FACP1"), Err(Errno::ENOENT));
        assert_eq!(find("tables/FACP0/x"), Err(Errno::ENOTDIR));
    }
}

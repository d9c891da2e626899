//! Areas: what stands where in an address space.

use super::PAGE;
use super::object::MemoryObject;
use super::space::Space;
use crate::file::File;
use alloc::sync::{Arc, Weak};
use hal::mem::Frame;
use hal::paging::Prot;
use ochre_abi::memory::{PROT_EXEC, PROT_READ, PROT_WRITE};
use ochre_hal as hal;
use ochre_logic::interval::Piece;

/// Access rights: PROT_READ, PROT_WRITE, PROT_EXEC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access(u8);

impl Access {
    /// From mmap's argument; other bits are ignored.
    pub fn from_prot(prot: u64) -> Access {
        Access((prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) as u8)
    }

    /// PROT_ bits.
    pub fn bits(self) -> u64 {
        u64::from(self.0)
    }

    /// Allows writing.
    pub fn writable(self) -> bool {
        self.bits() & PROT_WRITE != 0
    }

    /// Allows this access. As on any x86-64 system, writing or executing implies reading.
    pub fn allows(self, write: bool, exec: bool) -> bool {
        if write {
            self.writable()
        } else if exec {
            self.bits() & PROT_EXEC != 0
        } else {
            self.0 != 0
        }
    }

    /// The same for the page table, writable only if `write` says so too.
    pub fn prot(self, write: bool) -> Prot {
        let prot = Prot::new(self.0 != 0, self.writable(), self.bits() & PROT_EXEC != 0);
        if write { prot } else { prot.without_write() }
    }
}

/// A mapping.
#[derive(Clone)]
pub struct Area {
    /// What the program may do with it.
    pub access: Access,
    /// MAP_SHARED: writes go to the object.
    pub shared: bool,
    /// An mprotect may add PROT_WRITE.
    pub may_write: bool,
    /// Private pages may be in the page table: fork has to share them.
    pub private_pages: bool,
    /// What fork does with it.
    pub on_fork: OnFork,
    /// What is mapped.
    pub backing: Backing,
}

/// madvise's MADV_DONTFORK and MADV_WIPEONFORK.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnFork {
    /// The child has it too.
    Copy,
    /// The child has nothing there.
    Omit,
    /// The child has zeroes there.
    Wipe,
}

/// What is mapped.
#[derive(Clone)]
pub enum Backing {
    /// Private memory, zero at first. All its pages are in the page table only.
    Anonymous,
    /// Part of a memory object.
    Object(View),
    /// One page that the kernel shares with the program (a thread's signal page). Not forked.
    Kernel(Frame),
}

/// The part of an object that an area shows.
#[derive(Clone)]
pub struct View {
    /// The object, which knows about the mapping.
    pub binding: Binding,
    /// Page of the object at the area's start.
    pub first: u64,
    /// Pages of the object from this one on are out of bounds (the end of a slice), whatever its size.
    pub end: u64,
    /// The open file that was mapped: it stays open.
    pub file: Option<Arc<File>>,
    /// Page of that file at the area's start (differs from `first` for a slice).
    pub file_page: u64,
}

impl View {
    /// The object.
    pub fn object(&self) -> &Arc<MemoryObject> {
        &self.binding.object
    }
}

/// Registers one area with its object, which can then find the space.
pub struct Binding {
    object: Arc<MemoryObject>,
    space: Weak<Space>,
    id: u64,
    writer: bool,
}

impl Binding {
    /// `object` is no slice; `writer`: shared, and writable now or after an mprotect.
    pub fn new(object: Arc<MemoryObject>, id: u64, space: &Weak<Space>, writer: bool) -> Binding {
        object.bind(id, space, writer);
        Binding { object, space: space.clone(), id, writer }
    }

    /// The same for an area of another space.
    pub fn for_space(&self, id: u64, space: &Weak<Space>) -> Binding {
        Binding::new(self.object.clone(), id, space, self.writer)
    }
}

impl Clone for Binding {
    fn clone(&self) -> Self {
        self.for_space(self.id, &self.space)
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        self.object.unbind(self.id, self.writer);
    }
}

impl Area {
    /// Private zeroes.
    pub fn anonymous(access: Access) -> Area {
        Area {
            access,
            shared: false,
            may_write: true,
            private_pages: false,
            on_fork: OnFork::Copy,
            backing: Backing::Anonymous,
        }
    }

    /// A copy for a forked space.
    pub fn for_space(&self, id: u64, space: &Weak<Space>) -> Area {
        let backing = match &self.backing {
            Backing::Object(view) => {
                Backing::Object(View { binding: view.binding.for_space(id, space), file: view.file.clone(), ..*view })
            }
            other => other.clone(),
        };
        Area { backing, ..*self }
    }

    /// What an area would be that begins `offset` bytes after this one's start.
    pub fn at(&self, offset: usize) -> Area {
        let mut area = self.clone();
        if let Backing::Object(view) = &mut area.backing {
            view.first += offset as u64 / PAGE;
            view.file_page += offset as u64 / PAGE;
        }
        area
    }

    /// Memory that counts towards RLIMIT_DATA.
    pub fn is_data(&self) -> bool {
        !self.shared && self.access.writable()
    }
}

impl Piece for Area {
    fn split_off(&mut self, at: usize) -> Self {
        self.at(at)
    }

    fn joins(&self, len: usize, next: &Self) -> bool {
        let alike = self.access == next.access
            && self.shared == next.shared
            && self.may_write == next.may_write
            && self.on_fork == next.on_fork;
        alike
            && match (&self.backing, &next.backing) {
                (Backing::Anonymous, Backing::Anonymous) => true,
                (Backing::Object(a), Backing::Object(b)) => {
                    let pages = len as u64 / PAGE;
                    Arc::ptr_eq(a.object(), b.object())
                        && a.first.checked_add(pages) == Some(b.first)
                        && a.file_page.checked_add(pages) == Some(b.file_page)
                        && a.end == b.end
                        && match (&a.file, &b.file) {
                            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                            (None, None) => true,
                            _ => false,
                        }
                }
                _ => false,
            }
    }

    fn join(&mut self, next: Self) {
        self.private_pages |= next.private_pages;
    }
}

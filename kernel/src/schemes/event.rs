//! `/scheme/event`: opening it makes an event queue. Writing a record {u64 descriptor, u32 EPOLL* flags, u32 0, u64 data} watches that
//! descriptor (flags 0: no longer), reading waits for struct epoll_events. EVENT_CTL and EVENT_WAIT work on it, too.

use super::KernelScheme;
use crate::file::Object;
use crate::io::event::EventQueue;
use crate::io::need_room;
use crate::thread::Thread;
use alloc::sync::Arc;
use ochre_abi::{Errno, Result};

/// The scheme.
pub struct Event;

impl KernelScheme for Event {
    fn open(&self, _me: &Arc<Thread>, path: &[u8], _flags: u32) -> Result<Arc<dyn Object>> {
        if !path.is_empty() {
            return Err(Errno::ENOENT);
        }
        need_room(0)?;
        Ok(EventQueue::new(true))
    }
}

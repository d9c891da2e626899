//! What one side of a socket pair has yet to receive.

use super::{Kind, UserCredentials};
use crate::file::File;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hal::mem::Frame;
use ochre_hal as hal;
use ochre_logic::ring::Ring;

/// What a message counts beside its bytes, against SO_SNDBUF.
pub const OVERHEAD: usize = 256;
/// Open files in one inbox. Beyond it ETOOMANYREFS.
pub const FILES_MAX: usize = 1024;

/// A message, or a run of a stream's bytes that share their ancillary data.
pub struct Segment {
    /// Bytes.
    pub len: usize,
    /// Who sent it, if one side asked for credentials.
    pub credentials: Option<UserCredentials>,
    /// Open files that go with it.
    pub files: Vec<Arc<File>>,
    /// A datagram's sender, if it has a name.
    pub from: Option<Arc<[u8]>>,
    /// How many of them are sockets of this kind: [`super::flight`] counts those.
    pub sockets: usize,
}

/// An inbox. The bytes of all segments stand in the ring one after the other.
pub struct Inbox {
    pub ring: Ring<Frame>,
    pub segments: VecDeque<Segment>,
    /// Open files in all segments.
    pub files: usize,
    /// Bytes that a sender is copying in.
    pub writing: Option<usize>,
    /// A receiver is copying out.
    pub reading: bool,
    pub write_contended: bool,
    pub read_contended: bool,
    /// The receiver will read nothing more.
    pub receive_shut: bool,
    /// The sender will send nothing more.
    pub send_shut: bool,
    /// The receiving socket is closed.
    pub closed: bool,
}

impl Inbox {
    pub const fn new() -> Inbox {
        Inbox {
            ring: Ring::new(usize::MAX),
            segments: VecDeque::new(),
            files: 0,
            writing: None,
            reading: false,
            write_contended: false,
            read_contended: false,
            receive_shut: false,
            send_shut: false,
            closed: false,
        }
    }

    pub fn ring(&self) -> &Ring<Frame> {
        &self.ring
    }

    /// Nothing to receive; an empty message is something.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Bytes.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// What FIONREAD tells: all bytes of a stream, or those of the next message.
    pub fn next_len(&self, kind: Kind) -> usize {
        if kind.packets() { self.segments.front().map_or(0, |s| s.len) } else { self.len() }
    }

    /// What counts against the sender's SO_SNDBUF.
    pub fn used(&self) -> usize {
        self.ring.len() + self.writing.unwrap_or(0) + self.segments.len() * OVERHEAD
    }

    /// Appends received bytes to a stream: to the last segment if nothing sets them apart.
    pub fn append(&mut self, segment: Segment) {
        if let Some(last) = self.segments.back_mut() {
            if segment.files.is_empty() && last.files.is_empty() && last.credentials == segment.credentials {
                last.len += segment.len;
                return;
            }
        }
        self.push(segment);
    }

    /// Appends a message.
    pub fn push(&mut self, segment: Segment) {
        self.files += segment.files.len();
        self.segments.push_back(segment);
    }

    /// Stream: how many of `max` bytes one receive may take (it ends behind bytes that bring files, and before bytes of
    /// another sender), and how many segments that touches.
    pub fn run(&self, max: usize, by_sender: bool) -> (usize, usize) {
        let mut bytes = 0;
        let mut touched = 0;
        let first = self.segments.front().map(|s| s.credentials);
        for segment in &self.segments {
            if bytes == max || (by_sender && Some(segment.credentials) != first) {
                break;
            }
            bytes += segment.len.min(max - bytes);
            touched += 1;
            if !segment.files.is_empty() {
                break;
            }
        }
        (bytes, touched)
    }

    /// Stream: takes `bytes` off. The files of the bytes taken.
    pub fn take_bytes(&mut self, bytes: usize) -> Vec<Arc<File>> {
        self.ring.consume(bytes);
        let mut left = bytes;
        let mut files = Vec::new();
        while left > 0 {
            let Some(first) = self.segments.front_mut() else { break };
            let part = left.min(first.len);
            left -= part;
            first.len -= part;
            first.sockets = 0;
            if !first.files.is_empty() {
                self.files -= first.files.len();
                files.append(&mut first.files);
            }
            if first.len == 0 {
                self.segments.pop_front();
            }
        }
        files
    }

    /// Takes the next message off.
    pub fn take_message(&mut self) -> Option<Segment> {
        let segment = self.segments.pop_front()?;
        self.ring.consume(segment.len);
        self.files -= segment.files.len();
        Some(segment)
    }
}

//! The functions.

use super::chars;
use super::dfa::Text;
use super::search::Compiled;
use super::submatch::Span;
use super::syntax::{self, Error, MESSAGES, Syntax};
use crate::heap::{c_free, c_malloc};
use crate::string;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use core::mem::size_of;
use core::{ptr, slice};
use libc::{regmatch_t, regoff_t, size_t};

/// What `re_pattern_buffer`'s `buffer` points to, in the caller's heap.
struct Block {
    /// [`MAGIC`] where this is ours; programs may hand in memory of their own.
    magic: u64,
    compiled: *mut Compiled,
}

const MAGIC: u64 = 0x6f63_6872_6572_6578;

/// `struct re_pattern_buffer`, `regex_t`: 64 bytes.
#[derive(Debug)]
#[repr(C)]
pub struct Pattern {
    buffer: *mut c_void,
    allocated: libc::c_ulong,
    used: libc::c_ulong,
    syntax: Syntax,
    fastmap: *mut u8,
    translate: *mut u8,
    re_nsub: size_t,
    /// `can_be_null` 1 bit, `regs_allocated` 2, then 1 each: `fastmap_accurate`, `no_sub`, `not_bol`, `not_eol`, `newline_anchor`.
    bits: c_uint,
}

const CAN_BE_NULL: c_uint = 1;
const REGS: c_uint = 3 << 1;
const REGS_UNALLOCATED: c_uint = 0;
const REGS_REALLOCATE: c_uint = 1 << 1;
const REGS_FIXED: c_uint = 2 << 1;
const FASTMAP_ACCURATE: c_uint = 1 << 3;
const WITHOUT_SUBMATCHES: c_uint = 1 << 4;
const NOT_BOL: c_uint = 1 << 5;
const NOT_EOL: c_uint = 1 << 6;
const NEWLINE_ANCHOR: c_uint = 1 << 7;

const REG_NOMATCH: c_int = 1;
const REG_BADPAT: c_int = 2;

/// `struct re_registers`.
#[derive(Debug)]
#[repr(C)]
pub struct ReRegisters {
    num_regs: c_uint,
    start: *mut regoff_t,
    end: *mut regoff_t,
}

/// The syntax of `re_compile_pattern`.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut re_syntax_options: Syntax = 0;

impl Pattern {
    fn set(&mut self, bit: c_uint, on: bool) {
        self.bits = if on { self.bits | bit } else { self.bits & !bit };
    }

    /// The block, if `buffer` is one.
    unsafe fn block(&self) -> Option<*mut Block> {
        let block = self.buffer.cast::<Block>();
        let fits = !block.is_null() && self.allocated >= size_of::<Block>() as u64;
        (fits && (*block).magic == MAGIC).then_some(block)
    }

    unsafe fn compiled(&self) -> Option<&Compiled> {
        Some(&*(*self.block()?).compiled)
    }

    /// Frees what was compiled, but not the block.
    unsafe fn discard(&mut self) {
        if let Some(block) = self.block() {
            (*block).magic = 0;
            drop(Box::from_raw((*block).compiled));
        }
    }

    /// Compiles into this buffer; the bits `no_sub` and `newline_anchor` are set already.
    unsafe fn compile(&mut self, pattern: &[u8], syntax: Syntax) -> Result<(), Error> {
        self.set(CAN_BE_NULL | REGS | FASTMAP_ACCURATE | NOT_BOL | NOT_EOL, false);
        (self.syntax, self.used, self.re_nsub) = (syntax, 0, 0);
        self.discard();
        if self.allocated < size_of::<Block>() as u64 || self.buffer.is_null() {
            c_free(self.buffer);
            self.buffer = c_malloc(size_of::<Block>());
            self.allocated = if self.buffer.is_null() { 0 } else { size_of::<Block>() as u64 };
        }
        if self.buffer.is_null() {
            return Err(Error::Space);
        }
        let translate = (!self.translate.is_null()).then(|| Box::new(*self.translate.cast::<[u8; 256]>()));
        let (newline, submatches) = (self.bits & NEWLINE_ANCHOR != 0, self.bits & WITHOUT_SUBMATCHES == 0);
        let compiled = Compiled::new(pattern, syntax, chars::locale_is_utf8(), translate, newline, submatches);
        let compiled = match compiled {
            Ok(compiled) => Box::new(compiled),
            Err(error) => {
                c_free(self.buffer);
                (self.buffer, self.allocated) = (ptr::null_mut(), 0);
                return Err(error);
            }
        };
        self.re_nsub = compiled.groups;
        self.used = size_of::<Block>() as u64;
        self.buffer.cast::<Block>().write(Block { magic: MAGIC, compiled: Box::into_raw(compiled) });
        Ok(())
    }

    /// Fills the fastmap, if there is one.
    unsafe fn fill_fastmap(&mut self) {
        let Some(compiled) = self.compiled() else { return };
        let (first, nullable) = (*compiled.fastmap, compiled.can_be_null);
        if !self.fastmap.is_null() {
            self.fastmap.cast::<[bool; 256]>().write(first);
        }
        self.set(CAN_BE_NULL, nullable);
        self.set(FASTMAP_ACCURATE, true);
    }
}

fn search(
    pattern: &Compiled,
    text: &Text<'_>,
    (start, last): (usize, usize),
    count: usize,
) -> Result<Option<Vec<Span>>, Error> {
    let len = text.bytes.len();
    pattern.search(text, start.min(len), last.min(len), count)
}

/// `re_search` and `re_match`: the place or, with `length`, the length of a match.
unsafe fn find(
    buffer: *mut Pattern,
    text: &[u8],
    start: regoff_t,
    range: regoff_t,
    stop: regoff_t,
    registers: *mut ReRegisters,
    length: bool,
) -> regoff_t {
    let pattern = &mut *buffer;
    let len = text.len() as i64;
    let (start, range) = (i64::from(start), i64::from(range));
    if start < 0 || start > len {
        return -1;
    }
    let last = match start + range {
        last if last > len => len,
        last if last < 0 => 0,
        last => last,
    };
    if start < last && !pattern.fastmap.is_null() && pattern.bits & FASTMAP_ACCURATE == 0 {
        pattern.fill_fastmap();
    }
    let registers = if pattern.bits & WITHOUT_SUBMATCHES != 0 { None } else { registers.as_mut() };
    let Some(compiled) = pattern.compiled() else { return -2 };
    let count = match &registers {
        None => 1,
        Some(registers) if pattern.bits & REGS == REGS_FIXED && registers.num_regs as usize <= pattern.re_nsub => {
            (registers.num_regs as usize).max(1)
        }
        Some(_) => pattern.re_nsub + 1,
    };
    let text = Text {
        bytes: text,
        stop: (stop.max(0) as usize).min(text.len()),
        not_bol: pattern.bits & NOT_BOL != 0,
        not_eol: pattern.bits & NOT_EOL != 0,
    };
    let spans = match search(compiled, &text, (start as usize, last as usize), count) {
        Ok(Some(spans)) => spans,
        Ok(None) => return -1,
        Err(_) => return -2,
    };
    if let Some(registers) = registers {
        let Some(state) = hand_over(registers, &spans, pattern.bits & REGS) else {
            pattern.set(REGS, false);
            return -2;
        };
        pattern.bits = pattern.bits & !REGS | state;
    }
    if length { spans[0].1 - start as regoff_t } else { spans[0].0 }
}

/// Gives spans to the caller, in arrays that may have to be made. The new state of the arrays; None without memory.
unsafe fn hand_over(registers: &mut ReRegisters, spans: &[Span], state: c_uint) -> Option<c_uint> {
    // GNU programs expect one more, with -1 in it.
    let need = spans.len() + 1;
    let mut state = state;
    if state != REGS_FIXED && (state == REGS_UNALLOCATED || need > registers.num_regs as usize) {
        let (starts, ends) = (c_malloc(need * size_of::<regoff_t>()), c_malloc(need * size_of::<regoff_t>()));
        if starts.is_null() || ends.is_null() {
            c_free(starts);
            c_free(ends);
            return None;
        }
        if state == REGS_REALLOCATE {
            c_free(registers.start.cast());
            c_free(registers.end.cast());
        }
        *registers = ReRegisters { num_regs: need as c_uint, start: starts.cast(), end: ends.cast() };
        state = REGS_REALLOCATE;
    }
    for number in 0..registers.num_regs as usize {
        let span = spans.get(number).copied().unwrap_or((-1, -1));
        registers.start.add(number).write(span.0);
        registers.end.add(number).write(span.1);
    }
    Some(state)
}

/// The two texts as one.
unsafe fn joined(one: (*const c_char, regoff_t), other: (*const c_char, regoff_t)) -> Option<Vec<u8>> {
    one.1.checked_add(other.1)?;
    let mut text = Vec::new();
    for (part, len) in [one, other] {
        let len = usize::try_from(len).ok()?;
        text.try_reserve(len).ok()?;
        if len > 0 {
            text.extend_from_slice(slice::from_raw_parts(part.cast(), len));
        }
    }
    Some(text)
}

/// A text by its address and length.
unsafe fn text_of<'a>(text: *const c_char, len: regoff_t) -> &'a [u8] {
    if len <= 0 { &[] } else { slice::from_raw_parts(text.cast(), len as usize) }
}

c_api! {
    /// regcomp(3).
    fn regcomp(pattern: *mut Pattern, regex: *const c_char, flags: c_int) -> c_int {
        let new = Pattern {
            buffer: ptr::null_mut(),
            allocated: 0,
            used: 0,
            syntax: 0,
            fastmap: c_malloc(256).cast(),
            translate: ptr::null_mut(),
            re_nsub: 0,
            bits: 0,
        };
        pattern.write(new);
        let pattern = &mut *pattern;
        if pattern.fastmap.is_null() {
            return Error::Space as c_int;
        }
        let mut syntax = if flags & libc::REG_EXTENDED != 0 { syntax::POSIX_EXTENDED } else { syntax::POSIX_BASIC };
        if flags & libc::REG_ICASE != 0 {
            syntax |= syntax::ICASE;
        }
        if flags & libc::REG_NEWLINE != 0 {
            syntax &= !syntax::DOT_NEWLINE;
            syntax |= syntax::HAT_LISTS_NOT_NEWLINE;
            pattern.set(NEWLINE_ANCHOR, true);
        }
        pattern.set(WITHOUT_SUBMATCHES, flags & libc::REG_NOSUB != 0);
        match pattern.compile(string::bytes(regex), syntax) {
            Ok(()) => {
                pattern.fill_fastmap();
                0
            }
            Err(error) => {
                c_free(pattern.fastmap.cast());
                pattern.fastmap = ptr::null_mut();
                if error == Error::RightParenthesis { Error::Parenthesis as c_int } else { error as c_int }
            }
        }
    }

    /// regexec(3).
    fn regexec(
        pattern: *const Pattern,
        text: *const c_char,
        count: size_t,
        matches: *mut regmatch_t,
        flags: c_int,
    ) -> c_int {
        let start_end = 1 << 2;
        if flags & !(libc::REG_NOTBOL | libc::REG_NOTEOL | start_end) != 0 {
            return REG_BADPAT;
        }
        let (start, bytes) = if flags & start_end != 0 {
            ((*matches).rm_so, text_of(text, (*matches).rm_eo))
        } else {
            (0, string::bytes(text))
        };
        let pattern = &*pattern;
        let Some(compiled) = pattern.compiled() else { return REG_NOMATCH };
        let Ok(start) = usize::try_from(start) else { return REG_NOMATCH };
        if start > bytes.len() {
            return REG_NOMATCH;
        }
        let text = Text {
            bytes,
            stop: bytes.len(),
            not_bol: flags & libc::REG_NOTBOL != 0,
            not_eol: flags & libc::REG_NOTEOL != 0,
        };
        let wanted = if pattern.bits & WITHOUT_SUBMATCHES != 0 { 0 } else { count };
        let told = wanted.min(pattern.re_nsub + 1);
        match search(compiled, &text, (start, bytes.len()), told) {
            Ok(Some(spans)) => {
                for number in 0..wanted {
                    let (rm_so, rm_eo) = spans.get(number).copied().unwrap_or((-1, -1));
                    matches.add(number).write(regmatch_t { rm_so, rm_eo });
                }
                0
            }
            // Whatever goes wrong is no match: glibc tells nothing else here.
            Ok(None) | Err(_) => REG_NOMATCH,
        }
    }

    /// regerror(3). An error that there is not aborts, as glibc's does.
    fn regerror(error: c_int, pattern: *const Pattern, buffer: *mut c_char, size: size_t) -> size_t {
        let _ = pattern;
        let Some(message) = usize::try_from(error).ok().and_then(|error| MESSAGES.get(error)) else {
            crate::exit::abort()
        };
        let message = message.to_bytes_with_nul();
        if size > 0 {
            let len = message.len().min(size);
            ptr::copy_nonoverlapping(message.as_ptr().cast(), buffer, len);
            buffer.add(len - 1).write(0);
        }
        message.len()
    }

    /// regfree(3).
    fn regfree(pattern: *mut Pattern) {
        let pattern = &mut *pattern;
        pattern.discard();
        c_free(pattern.buffer);
        c_free(pattern.fastmap.cast());
        c_free(pattern.translate.cast());
        (pattern.buffer, pattern.allocated) = (ptr::null_mut(), 0);
        (pattern.fastmap, pattern.translate) = (ptr::null_mut(), ptr::null_mut());
    }

    /// Sets the syntax of [`re_compile_pattern`]; returns the one before.
    fn re_set_syntax(syntax: Syntax) -> Syntax {
        let before = re_syntax_options;
        re_syntax_options = syntax;
        before
    }

    /// Compiles a pattern that may hold NULs. Null, or a message that says what is wrong with it.
    fn re_compile_pattern(regex: *const c_char, len: size_t, pattern: *mut Pattern) -> *const c_char {
        let pattern = &mut *pattern;
        let syntax = re_syntax_options;
        pattern.set(WITHOUT_SUBMATCHES, syntax & syntax::NO_SUB != 0);
        pattern.set(NEWLINE_ANCHOR, true);
        let text = if len == 0 { &[] } else { slice::from_raw_parts(regex.cast(), len) };
        match pattern.compile(text, syntax) {
            Ok(()) => ptr::null(),
            Err(error) => MESSAGES.get(error as usize).map_or(ptr::null(), |message| CStr::as_ptr(message)),
        }
    }

    /// Fills the buffer's fastmap with the bytes that a match can begin with. 0.
    fn re_compile_fastmap(pattern: *mut Pattern) -> c_int {
        (*pattern).fill_fastmap();
        0
    }

    /// Where the first match that begins in `range` bytes from `start` begins; -1: nowhere; -2: without memory.
    fn re_search(
        pattern: *mut Pattern,
        text: *const c_char,
        len: regoff_t,
        start: regoff_t,
        range: regoff_t,
        registers: *mut ReRegisters,
    ) -> regoff_t {
        find(pattern, text_of(text, len), start, range, len, registers, false)
    }

    /// As [`re_search`], in two texts put together, and with no match going beyond `stop`.
    fn re_search_2(
        pattern: *mut Pattern,
        one: *const c_char,
        one_len: regoff_t,
        other: *const c_char,
        other_len: regoff_t,
        start: regoff_t,
        range: regoff_t,
        registers: *mut ReRegisters,
        stop: regoff_t,
    ) -> regoff_t {
        match joined((one, one_len), (other, other_len)) {
            Some(text) if stop >= 0 => find(pattern, &text, start, range, stop, registers, false),
            _ => -2,
        }
    }

    /// How many bytes match at `start`; -1: none do; -2: without memory.
    fn re_match(
        pattern: *mut Pattern,
        text: *const c_char,
        len: regoff_t,
        start: regoff_t,
        registers: *mut ReRegisters,
    ) -> regoff_t {
        find(pattern, text_of(text, len), start, 0, len, registers, true)
    }

    /// As [`re_match`], in two texts put together, and with no match going beyond `stop`.
    fn re_match_2(
        pattern: *mut Pattern,
        one: *const c_char,
        one_len: regoff_t,
        other: *const c_char,
        other_len: regoff_t,
        start: regoff_t,
        registers: *mut ReRegisters,
        stop: regoff_t,
    ) -> regoff_t {
        match joined((one, one_len), (other, other_len)) {
            Some(text) if stop >= 0 => find(pattern, &text, start, 0, stop, registers, true),
            _ => -2,
        }
    }

    /// Gives a pattern the arrays that matches are told in; with 0 of them, matches make their own.
    fn re_set_registers(
        pattern: *mut Pattern,
        registers: *mut ReRegisters,
        count: c_uint,
        starts: *mut regoff_t,
        ends: *mut regoff_t,
    ) {
        let pattern = &mut *pattern;
        pattern.set(REGS, false);
        if count > 0 {
            pattern.bits |= REGS_REALLOCATE;
            *registers = ReRegisters { num_regs: count, start: starts, end: ends };
        } else {
            *registers = ReRegisters { num_regs: 0, start: ptr::null_mut(), end: ptr::null_mut() };
        }
    }
}

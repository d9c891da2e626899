//! The bits of `reg_syntax_t`, flags and error codes. Source: regex.h, regex(3), regex(7).

/// `reg_syntax_t`: how a pattern is to be read.
pub type Syntax = u64;

/// `\` quotes inside a bracket expression.
pub const BACKSLASH_ESCAPE_IN_LISTS: Syntax = 1;
/// `\+` and `\?` are operators, not `+` and `?`.
pub const BK_PLUS_QM: Syntax = 1 << 1;
/// `[:alpha:]` and its like are classes.
pub const CHAR_CLASSES: Syntax = 1 << 2;
/// `^` and `$` are anchors wherever they stand.
pub const CONTEXT_INDEP_ANCHORS: Syntax = 1 << 3;
/// Repetition operators with nothing before them are skipped.
pub const CONTEXT_INDEP_OPS: Syntax = 1 << 4;
/// Repetition operators with nothing before them are errors.
pub const CONTEXT_INVALID_OPS: Syntax = 1 << 5;
/// `.` matches newline.
pub const DOT_NEWLINE: Syntax = 1 << 6;
/// `.` does not match NUL.
pub const DOT_NOT_NULL: Syntax = 1 << 7;
/// `[^a]` does not match newline.
pub const HAT_LISTS_NOT_NEWLINE: Syntax = 1 << 8;
/// There are intervals.
pub const INTERVALS: Syntax = 1 << 9;
/// `+`, `?` and `|` are no operators, in either spelling.
pub const LIMITED_OPS: Syntax = 1 << 10;
/// Newline separates alternatives.
pub const NEWLINE_ALT: Syntax = 1 << 11;
/// Intervals are `{}`, not `\{\}`.
pub const NO_BK_BRACES: Syntax = 1 << 12;
/// Groups are `()`, not `\(\)`.
pub const NO_BK_PARENS: Syntax = 1 << 13;
/// There are no back-references.
pub const NO_BK_REFS: Syntax = 1 << 14;
/// Alternatives are separated by `|`, not `\|`.
pub const NO_BK_VBAR: Syntax = 1 << 15;
/// `[z-a]` is an error.
pub const NO_EMPTY_RANGES: Syntax = 1 << 16;
/// An unmatched `)` is ordinary.
pub const UNMATCHED_RIGHT_PAREN_ORD: Syntax = 1 << 17;
/// `\<` `\>` `\b` `\B` `\w` `\W` `\s` `\S` `` \` `` `\'` are ordinary.
pub const NO_GNU_OPS: Syntax = 1 << 19;
/// An invalid interval is ordinary text.
pub const INVALID_INTERVAL_ORD: Syntax = 1 << 21;
/// Case is ignored.
pub const ICASE: Syntax = 1 << 22;
/// `^` is an anchor at this place (the parser's own).
pub const CARET_ANCHORS_HERE: Syntax = 1 << 23;
/// `\{` with nothing before it is an error.
pub const CONTEXT_INVALID_DUP: Syntax = 1 << 24;
/// Submatches are not wanted.
pub const NO_SUB: Syntax = 1 << 25;

const COMMON: Syntax = CHAR_CLASSES | DOT_NEWLINE | DOT_NOT_NULL | INTERVALS | NO_EMPTY_RANGES;
/// `RE_SYNTAX_POSIX_BASIC`.
pub const POSIX_BASIC: Syntax = COMMON | BK_PLUS_QM | CONTEXT_INVALID_DUP;
/// `RE_SYNTAX_POSIX_EXTENDED`.
pub const POSIX_EXTENDED: Syntax = COMMON
    | CONTEXT_INDEP_ANCHORS
    | CONTEXT_INDEP_OPS
    | NO_BK_BRACES
    | NO_BK_PARENS
    | NO_BK_VBAR
    | CONTEXT_INVALID_OPS
    | UNMATCHED_RIGHT_PAREN_ORD;

/// The greatest count of an interval.
pub const DUP_MAX: u32 = 0x7fff;

/// `reg_errcode_t` of a pattern or a match that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Error {
    /// `REG_BADPAT`
    Pattern = 2,
    /// `REG_ECOLLATE`
    Collate = 3,
    /// `REG_ECTYPE`
    Class = 4,
    /// `REG_EESCAPE`
    Escape = 5,
    /// `REG_ESUBREG`
    BackReference = 6,
    /// `REG_EBRACK`
    Bracket = 7,
    /// `REG_EPAREN`
    Parenthesis = 8,
    /// `REG_EBRACE`
    Brace = 9,
    /// `REG_BADBR`
    Interval = 10,
    /// `REG_ERANGE`
    Range = 11,
    /// `REG_ESPACE`
    Space = 12,
    /// `REG_BADRPT`
    Repetition = 13,
    /// `REG_ESIZE`
    Size = 15,
    /// `REG_ERPAREN`: told by `re_compile_pattern` only.
    RightParenthesis = 16,
}

/// The messages by `reg_errcode_t`, with their NULs.
pub const MESSAGES: [&core::ffi::CStr; 17] = [
    c"Success",
    c"No match",
    c"Invalid regular expression",
    c"Invalid collation character",
    c"Invalid character class name",
    c"Trailing backslash",
    c"Invalid back reference",
    c"Unmatched [, [^, [:, [., or [=",
    c"Unmatched ( or \\(",
    c"Unmatched \\{",
    c"Invalid content of \\{\\}",
    c"Invalid range end",
    c"Memory exhausted",
    c"Invalid preceding regular expression",
    c"Premature end of regular expression",
    c"Regular expression too big",
    c"Unmatched ) or \\)",
];

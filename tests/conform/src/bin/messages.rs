//! gettext over `.mo` files made here, with plural forms and charsets; message catalogues of X/Open.

use std::ffi::{CStr, CString, c_char, c_int, c_ulong, c_void};
use std::ptr::null;

unsafe extern "C" {
    fn gettext(message: *const c_char) -> *mut c_char;
    fn dgettext(domain: *const c_char, message: *const c_char) -> *mut c_char;
    fn dcgettext(domain: *const c_char, message: *const c_char, category: c_int) -> *mut c_char;
    fn ngettext(one: *const c_char, many: *const c_char, n: c_ulong) -> *mut c_char;
    fn dngettext(domain: *const c_char, one: *const c_char, many: *const c_char, n: c_ulong) -> *mut c_char;
    fn dcngettext(
        domain: *const c_char,
        one: *const c_char,
        many: *const c_char,
        n: c_ulong,
        category: c_int,
    ) -> *mut c_char;
    fn textdomain(name: *const c_char) -> *mut c_char;
    fn bindtextdomain(name: *const c_char, directory: *const c_char) -> *mut c_char;
    fn bind_textdomain_codeset(name: *const c_char, charset: *const c_char) -> *mut c_char;
    fn catopen(name: *const c_char, flag: c_int) -> *mut c_void;
    fn catgets(catalogue: *mut c_void, set: c_int, message: c_int, text: *const c_char) -> *mut c_char;
    fn catclose(catalogue: *mut c_void) -> c_int;
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// What a C string holds, or that there is none.
fn shown(text: *const c_char) -> String {
    // SAFETY: null, or a string of the library's.
    if text.is_null() { "none".into() } else { format!("{:?}", unsafe { CStr::from_ptr(text) }) }
}

/// A catalogue's file with these messages, which are sorted.
fn catalogue(messages: &[(&str, &str)], big: bool) -> Vec<u8> {
    let word = |value: usize| if big { (value as u32).to_be_bytes() } else { (value as u32).to_le_bytes() };
    let (mut head, mut texts) = (Vec::new(), Vec::new());
    let start = 28 + 16 * messages.len();
    for value in [0x9504_12de, 0, messages.len(), 28, 28 + 8 * messages.len(), 0, start] {
        head.extend(word(value));
    }
    for side in 0..2 {
        for message in messages {
            let text = if side == 0 { message.0 } else { message.1 };
            head.extend(word(text.len()));
            head.extend(word(start + texts.len()));
            texts.extend_from_slice(text.as_bytes());
            texts.push(0);
        }
    }
    head.extend(texts);
    head
}

const GERMAN: [(&str, &str); 4] = [
    ("", "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"),
    ("file\0files", "Datei\0Dateien"),
    ("size", "Gr\u{f6}\u{df}e \u{201e}x\u{201c}"),
    ("yes", "ja"),
];
const POLISH: [(&str, &str); 2] = [
    (
        "",
        "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\n",
    ),
    ("file\0files", "plik\0pliki\0plik\u{f3}w"),
];

fn write(root: &str, path: &str, bytes: &[u8]) {
    let path = format!("{root}/{path}");
    std::fs::create_dir_all(std::path::Path::new(&path).parent().expect("a folder")).expect("folders can be made");
    std::fs::write(path, bytes).expect("files can be made");
}

fn languages(list: &str) {
    // SAFETY: no other thread runs.
    unsafe { std::env::set_var("LANGUAGE", list) };
    // glibc looks at the variable anew only when the locale or the binding changes.
    // SAFETY: C strings.
    unsafe {
        let now = CStr::from_ptr(libc::setlocale(libc::LC_ALL, null())).to_owned();
        libc::setlocale(libc::LC_ALL, c"C".as_ptr());
        libc::setlocale(libc::LC_ALL, now.as_ptr());
        textdomain(c"other".as_ptr());
        textdomain(c"app".as_ptr());
    }
}

fn translations(title: &str) {
    // SAFETY: C strings and numbers.
    unsafe {
        for message in [c"yes", c"size", c"file", c"unknown"] {
            println!(
                "{title}: {message:?} {} {} {}",
                shown(gettext(message.as_ptr())),
                shown(dgettext(c"app".as_ptr(), message.as_ptr())),
                shown(dcgettext(null(), message.as_ptr(), libc::LC_MESSAGES)),
            );
        }
        println!("{title}: other category {}", shown(dcgettext(c"app".as_ptr(), c"yes".as_ptr(), libc::LC_TIME)));
        println!("{title}: other domain {}", shown(dgettext(c"elsewhere".as_ptr(), c"yes".as_ptr())));
        for n in [0, 1, 2, 5, 11, 22, 112] {
            let (one, many) = (c"file".as_ptr(), c"files".as_ptr());
            println!(
                "{title}: {n} {} {} {} {}",
                shown(ngettext(one, many, n)),
                shown(dngettext(c"app".as_ptr(), one, many, n)),
                shown(dcngettext(null(), one, many, n, libc::LC_MESSAGES)),
                shown(ngettext(c"thing".as_ptr(), c"things".as_ptr(), n)),
            );
        }
    }
}

fn domains(root: &CStr) {
    // SAFETY: C strings or null.
    unsafe {
        println!("domains: {}", shown(textdomain(null())));
        println!("domains: {} {}", shown(textdomain(c"app".as_ptr())), shown(textdomain(null())));
        println!("domains: {}", shown(textdomain(c"".as_ptr())));
        println!("domains: {}", shown(bindtextdomain(c"app".as_ptr(), null())));
        println!("domains: {}", CStr::from_ptr(bindtextdomain(c"app".as_ptr(), root.as_ptr())) == root);
        println!("domains: {}", CStr::from_ptr(bindtextdomain(c"app".as_ptr(), null())) == root);
        println!(
            "domains: {} {}",
            shown(bindtextdomain(null(), null())),
            shown(bindtextdomain(c"".as_ptr(), root.as_ptr()))
        );
        println!("domains: {}", shown(bind_textdomain_codeset(c"app".as_ptr(), null())));
        println!("domains: {}", shown(gettext(null())));
        textdomain(c"app".as_ptr());
    }
}

/// A catalogue of X/Open with one set, as gencat lays it out.
fn sets() -> Vec<u8> {
    let (size, depth) = (3u32, 1u32);
    let mut table = vec![[0u32; 3]; (size * depth) as usize];
    // Set 1 (stored as 2), messages 1 and 5.
    table[2] = [2, 1, 0];
    table[(2 * 5 % 3) as usize] = [2, 5, 6];
    let mut bytes = Vec::new();
    for word in [0x9604_08de, size, depth] {
        bytes.extend(u32::to_le_bytes(word));
    }
    bytes.extend(table.iter().flatten().flat_map(|word| word.to_le_bytes()));
    bytes.extend(table.iter().flatten().flat_map(|word| word.to_be_bytes()));
    bytes.extend(b"first\0fifth\0");
    bytes
}

fn catalogues(root: &str) {
    let path = CString::new(format!("{root}/app.cat")).expect("no NUL");
    // SAFETY: C strings, and catalogues as they were returned.
    unsafe {
        let open = catopen(path.as_ptr(), 0);
        println!("catalogues: open {}", open.addr() != usize::MAX);
        for (set, message) in [(1, 1), (1, 5), (1, 2), (2, 1), (0, 0), (-1, 1), (1, -1)] {
            println!("catalogues: {set} {message} {}", shown(catgets(open, set, message, c"default".as_ptr())));
        }
        println!("catalogues: close {}", catclose(open));
        let none = catopen(c"/nonexistent/x.cat".as_ptr(), 0);
        println!("catalogues: absent {} {}", none.addr() == usize::MAX, errno());
        println!("catalogues: absent {}", shown(catgets(none, 1, 1, c"default".as_ptr())));
        println!("catalogues: absent {} {}", catclose(none), errno());
        let none = catopen(c"absent".as_ptr(), 1);
        println!("catalogues: unknown {} {}", none.addr() == usize::MAX, errno());
    }
}

fn main() {
    let root = std::env::temp_dir().join(format!("messages-{}", std::process::id()));
    let root = root.to_str().expect("UTF-8").to_owned();
    write(&root, "de/LC_MESSAGES/app.mo", &catalogue(&GERMAN, false));
    write(&root, "pl/LC_MESSAGES/app.mo", &catalogue(&POLISH, true));
    write(&root, "de_AT/LC_MESSAGES/app.mo", &catalogue(&[("yes", "jo")], false));
    write(&root, "xx/LC_MESSAGES/app.mo", b"not a catalogue");
    let mut cut = catalogue(&GERMAN, false);
    cut.truncate(60);
    write(&root, "yy/LC_MESSAGES/app.mo", &cut);
    write(&root, "app.cat", &sets());
    let directory = CString::new(root.as_str()).expect("no NUL");

    domains(&directory);
    languages("de");
    translations("C");
    // SAFETY: a C string.
    unsafe { libc::setlocale(libc::LC_ALL, c"C.UTF-8".as_ptr()) };
    languages("");
    translations("none");
    for list in ["de", "pl", "pl:de", "de_AT", "de_AT.UTF-8@euro", "xx:de", "yy", "zz", "C:de", ":de:"] {
        languages(list);
        translations(list);
    }
    for charset in [c"ISO-8859-1", c"ASCII", c"nonsense"] {
        // SAFETY: C strings.
        println!("charset: {}", shown(unsafe { bind_textdomain_codeset(c"app".as_ptr(), charset.as_ptr()) }));
        languages("de");
        translations(charset.to_str().expect("ASCII"));
    }
    catalogues(&root);
    std::fs::remove_dir_all(&root).expect("it is ours");
}

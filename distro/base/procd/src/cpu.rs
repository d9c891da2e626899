//! /proc/cpuinfo, from CPUID. Leaves and bits: Intel's manual, volume 2A, CPUID.

use core::arch::x86_64::{__cpuid, __cpuid_count};
use std::fmt::Write;

/// Names of feature bits as Linux gives them, by leaf and register; empty: none, or not shown.
const LEAF1_EDX: [&str; 32] = [
    "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", "", "sep", "mtrr", "pge", "mca", "cmov",
    "pat", "pse36", "pn", "clflush", "", "dts", "acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe",
];
const LEAF1_ECX: [&str; 32] = [
    "pni",
    "pclmulqdq",
    "dtes64",
    "monitor",
    "ds_cpl",
    "vmx",
    "smx",
    "est",
    "tm2",
    "ssse3",
    "cid",
    "sdbg",
    "fma",
    "cx16",
    "xtpr",
    "pdcm",
    "",
    "pcid",
    "dca",
    "sse4_1",
    "sse4_2",
    "x2apic",
    "movbe",
    "popcnt",
    "tsc_deadline_timer",
    "aes",
    "xsave",
    "",
    "avx",
    "f16c",
    "rdrand",
    "hypervisor",
];
const LEAF7_EBX: [&str; 32] = [
    "fsgsbase",
    "tsc_adjust",
    "sgx",
    "bmi1",
    "hle",
    "avx2",
    "",
    "smep",
    "bmi2",
    "erms",
    "invpcid",
    "rtm",
    "cqm",
    "",
    "mpx",
    "rdt_a",
    "avx512f",
    "avx512dq",
    "rdseed",
    "adx",
    "smap",
    "avx512ifma",
    "",
    "clflushopt",
    "clwb",
    "intel_pt",
    "avx512pf",
    "avx512er",
    "avx512cd",
    "sha_ni",
    "avx512bw",
    "avx512vl",
];
/// The bits of leaf 0x80000001 that are no copies of leaf 1's.
const EXTENDED_EDX: [(u32, &str); 6] =
    [(11, "syscall"), (20, "nx"), (22, "mmxext"), (26, "pdpe1gb"), (27, "rdtscp"), (29, "lm")];
const EXTENDED_ECX: [(u32, &str); 9] = [
    (0, "lahf_lm"),
    (2, "svm"),
    (4, "cr8_legacy"),
    (5, "abm"),
    (6, "sse4a"),
    (7, "misalignsse"),
    (8, "3dnowprefetch"),
    (11, "xop"),
    (16, "fma4"),
];

fn bits(word: u32, names: &[&'static str; 32]) -> impl Iterator<Item = &'static str> {
    names.iter().enumerate().filter(move |(bit, name)| word >> bit & 1 != 0 && !name.is_empty()).map(|(_, name)| *name)
}

fn some(word: u32, names: &'static [(u32, &'static str)]) -> impl Iterator<Item = &'static str> {
    names.iter().filter(move |(bit, _)| word >> bit & 1 != 0).map(|(_, name)| *name)
}

/// Flags in Linux's order: leaf 1 edx, extended edx, leaf 1 ecx, extended ecx, leaf 7.
fn flags() -> String {
    let (leaf, extended) = (__cpuid(1), __cpuid(0x8000_0001));
    let seven = if __cpuid(0).eax >= 7 { __cpuid_count(7, 0).ebx } else { 0 };
    let names = bits(leaf.edx, &LEAF1_EDX)
        .chain(some(extended.edx, &EXTENDED_EDX))
        .chain(bits(leaf.ecx, &LEAF1_ECX))
        .chain(some(extended.ecx, &EXTENDED_ECX))
        .chain(bits(seven, &LEAF7_EBX));
    names.collect::<Vec<_>>().join(" ")
}

/// Text in registers, without what follows its first NUL.
fn text(words: &[u32]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// Family, model, stepping from leaf 1's eax.
fn identity(eax: u32) -> (u32, u32, u32) {
    let base = eax >> 8 & 0xf;
    let family = if base == 0xf { base + (eax >> 20 & 0xff) } else { base };
    let extended = if base == 6 || base == 0xf { eax >> 12 & 0xf0 } else { 0 };
    (family, eax >> 4 & 0xf | extended, eax & 0xf)
}

/// The text, a paragraph a CPU. All CPUs are alike.
pub fn info(cpus: u64) -> Vec<u8> {
    let zero = __cpuid(0);
    let vendor = text(&[zero.ebx, zero.edx, zero.ecx]);
    let one = __cpuid(1);
    let (family, model, stepping) = identity(one.eax);
    let named = __cpuid(0x8000_0000).eax >= 0x8000_0004;
    let words = |leaf| {
        let found = __cpuid(leaf);
        [found.eax, found.ebx, found.ecx, found.edx]
    };
    let name =
        if named { text(&[0x8000_0002, 0x8000_0003, 0x8000_0004].map(words).concat()) } else { "unknown".into() };
    let line = (one.ebx >> 8 & 0xff) * 8;
    let sizes = if __cpuid(0x8000_0000).eax >= 0x8000_0008 { __cpuid(0x8000_0008).eax } else { 0x3024 };
    let khz = ochre_rt::time::tsc_khz();
    let flags = flags();
    let mut out = String::new();
    for cpu in 0..cpus {
        let _ = writeln!(
            out,
            "processor\t: {cpu}\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\nmodel name\t: {name}\n\
             stepping\t: {stepping}\nmicrocode\t: 0x1\ncpu MHz\t\t: {}.{:03}\nphysical id\t: 0\nsiblings\t: {cpus}\n\
             core id\t\t: {cpu}\ncpu cores\t: {cpus}\napicid\t\t: {cpu}\ninitial apicid\t: {cpu}\nfpu\t\t: yes\n\
             fpu_exception\t: yes\ncpuid level\t: {}\nwp\t\t: yes\nflags\t\t: {flags}\nbugs\t\t:\nbogomips\t: {}.{:02}\n\
             clflush size\t: {line}\ncache_alignment\t: {line}\naddress sizes\t: {} bits physical, {} bits virtual\n\
             power management:\n",
            khz / 1000,
            khz % 1000,
            zero.eax,
            khz * 2 / 1000,
            khz * 2 % 1000 / 10,
            sizes & 0xff,
            sizes >> 8 & 0xff,
        );
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a line in the host's own text.
    fn host(name: &str) -> String {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(": ").map_or(String::new(), |(_, value)| value.trim().to_owned())
    }

    #[test]
    fn the_same_cpu_as_linux_sees() {
        let one = __cpuid(1);
        let (family, model, stepping) = identity(one.eax);
        assert_eq!(host("cpu family"), family.to_string());
        assert_eq!(host("model\t"), model.to_string());
        assert_eq!(host("stepping"), stepping.to_string());
        let theirs = host("flags");
        let own = flags();
        // What the hypervisor or Linux hides differs; the basic ones do not.
        for flag in ["fpu", "tsc", "cx8", "cmov", "sse2", "syscall", "nx", "lm", "cx16", "popcnt"] {
            assert_eq!(theirs.split(' ').any(|f| f == flag), own.split(' ').any(|f| f == flag), "{flag}");
        }
    }
}

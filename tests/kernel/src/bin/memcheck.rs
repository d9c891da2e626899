//! Checks of memory: mappings, objects, pagers, address spaces, fork, exhaustion, and reflected system calls.

use kernel_tests::memory;
use std::process::ExitCode;

fn main() -> ExitCode {
    kernel_tests::run(&[
        memory::anonymous::CHECKS,
        memory::remap::CHECKS,
        memory::objects::CHECKS,
        memory::pager::CHECKS,
        memory::cache::CHECKS,
        memory::forks::CHECKS,
        memory::spaces::CHECKS,
        memory::reflect::CHECKS,
        memory::pressure::CHECKS,
    ])
}

//! Host tests of hal's pure parts: they stand in the modules themselves, which know nothing of the machine.

#[allow(dead_code)]
#[path = "../src/mem/bitmap.rs"]
mod bitmap;
#[allow(dead_code)]
#[path = "../src/mem/buddy.rs"]
mod buddy;
#[allow(dead_code)]
#[path = "../src/mem/classes.rs"]
mod classes;
#[allow(dead_code)]
#[path = "../src/paging/pte.rs"]
mod pte;

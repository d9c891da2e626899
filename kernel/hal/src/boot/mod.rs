//! From the loader to [`Kernel::main`](crate::Kernel::main) on the bootstrap CPU.

mod info;
mod memory;
mod multiboot2;
pub(crate) mod paging;
pub(crate) mod phys;
mod pvh;

use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};

pub use info::{BootInfo, Framebuffer, MemoryKind, MemoryRegion, PhysRange};

use crate::debug::Level;
use crate::{acpi, apic, context, cpu, glue, irq, layout, mem, serial, time};

global_asm!(include_str!("entry.s"), options(att_syntax));

unsafe extern "C" {
    safe static __boot_guard: u8;
    safe static __boot_stack_top: u8;
    safe static __boot_pml4: u8;
}

/// The bootstrap CPU's stack: it becomes that CPU's idle stack. The page below it is not mapped.
pub(crate) fn stack() -> core::ops::Range<usize> {
    &raw const __boot_guard as usize + layout::PAGE..&raw const __boot_stack_top as usize
}

/// What boot/entry.s calls in long mode, on the boot stack: `loader` is 1 for PVH and 2 for multiboot2, `info` the physical
/// address of what the loader tells.
#[unsafe(no_mangle)] // SAFETY: only entry.s names this symbol
extern "C" fn __ochre_boot(loader: u32, info: u64) -> ! {
    serial::init();
    cpu::init_bsp();
    let info = info::gather(|out| match loader {
        1 => pvh::read(info, out),
        _ => multiboot2::read(info, out),
    });
    let Some(info) = info else { panic!("the loader's boot information is damaged") };
    let tables = paging::build(info);
    ROOT.store(tables.root, Ordering::Release);
    crate::log!(Level::Info, "boot: by {}, command line \"{}\"", info.loader, info.cmdline);
    for region in info.memory {
        let PhysRange { start, len } = region.range;
        crate::log!(Level::Debug, "memory: {start:#014x}..{:#014x} {:?}", start + len, region.kind);
    }
    mem::init(info, &[layout::image_phys(), LOW_MEMORY, tables.used]);
    crate::paging::init(tables.root);
    context::init_cpu(stack());
    acpi::init(info);
    apic::init();
    irq::init();
    time::init();
    crate::log!(
        Level::Info,
        "boot: {} MiB free, {} CPUs, TSC {} kHz",
        (mem::stats().free_frames * layout::PAGE) >> 20,
        acpi::cpus().len(),
        time::tsc_khz()
    );
    glue::main(info)
}

/// Memory below 1 MiB: firmware's data, and the page that other CPUs start in.
const LOW_MEMORY: PhysRange = PhysRange { start: 0, len: 1 << 20 };

static ROOT: AtomicU64 = AtomicU64::new(0);

/// Physical address of the kernel's page-table root.
pub(crate) fn root() -> u64 {
    ROOT.load(Ordering::Acquire)
}

/// The number of a page of usable RAM below 640 KiB that nobody uses; not the first one, where firmware's data are.
pub(crate) fn low_page() -> Option<u8> {
    let page = layout::PAGE as u64;
    let regions = info::regions()?;
    (1..0xa0).find(|&number| {
        let wanted = PhysRange { start: u64::from(number) * page, len: page };
        regions.iter().any(|region| {
            region.kind == MemoryKind::Usable
                && region.range.start <= wanted.start
                && wanted.end() <= region.range.end()
        })
    })
}

/// Empties the first page tables, which map memory writable and executable: no CPU starts any more.
pub(crate) fn forget_identity_map() {
    let tables = layout::phys_to_virt(&raw const __boot_pml4 as u64) as *mut u8;
    // SAFETY: a page of the image's own that no CPU has loaded: all run on the final tables.
    unsafe { core::ptr::write_bytes(tables, 0, layout::PAGE) };
}

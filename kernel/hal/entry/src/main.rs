//! The kernel ELF: hal's boot code, and the kernel proper behind it.

#![no_std]
#![no_main]

ochre_hal::entry!(ochre_kernel::Ochre);

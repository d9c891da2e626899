//! AHCI controllers: SATA disks and ATAPI CD-ROM drives.
//!
//! - `hba`: the controller's registers.
//! - `port`: one port: starting, commands in its slots, errors.
//! - `fis`: commands as bytes. `identify`: what a device says about itself. `sense`: why a packet command failed.
//! - `disk`: ATA disks. `cd`: ATAPI drives.
//!
//! All that disks have in common is `ochre_block::server`'s.
//!
//! Sources: Serial ATA AHCI 1.3.1; ATA/ATAPI Command Set 3 (ACS-3); Multi-Media Commands 6 (MMC-6); SCSI Primary Commands 4 (SPC-4).

#![forbid(unsafe_code)]

pub mod cd;
pub mod disk;
pub mod fis;
pub mod hba;
pub mod identify;
pub mod port;
pub mod sense;

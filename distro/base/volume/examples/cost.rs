//! What operations cost on a device in memory, in microseconds of a CPU: `cargo run --release -p ochre-volume --features redoxfs --example cost`.

use ochre_volume::device::Memory;
use ochre_volume::redox::{Format, Options, RECORD, Redox, format};
use ochre_volume::{Attributes, NewNode, Result, Volume, kind};

/// Files in one directory.
const FILES: usize = 100_000;

fn main() -> Result<()> {
    let mut volume = format(Memory::new(1 << 30), &Format::default())?;
    let file = NewNode { mode: kind::FILE | 0o644, uid: 0, gid: 0, rdev: 0, time: 0, target: b"" };
    let name = |nth: usize| format!("file-number-{nth}").into_bytes();
    let directory = volume.create(&NewNode { mode: kind::DIRECTORY | 0o755, ..file })?;
    volume.link(1, b"directory", directory)?;
    let mut inos = Vec::new();

    time("create and link", FILES, || {
        for nth in 0..FILES {
            let ino = volume.create(&file)?;
            volume.link(directory, &name(nth), ino)?;
            volume.release(ino)?;
            inos.push(ino);
        }
        volume.commit()
    })?;
    let mut volume = Redox::open(volume.into_device(), Options::default())?;
    time("lookup, cold caches", FILES, || {
        (0..FILES).try_for_each(|nth| volume.lookup(directory, &name(nth)).map(drop))
    })?;
    time("lookup of the same 1,000 names", FILES, || {
        (0..FILES).try_for_each(|nth| volume.lookup(directory, &name(nth % 1000)).map(drop))
    })?;
    time("attributes", FILES, || inos.iter().try_for_each(|&ino| volume.attributes(ino).map(drop)))?;
    time("attributes of the same 100 nodes", FILES, || {
        (0..FILES).try_for_each(|nth| volume.attributes(inos[nth % 100]).map(drop))
    })?;
    time("set attributes", FILES, || {
        inos.iter().try_for_each(|&ino| volume.set_attributes(ino, &Attributes::default()))?;
        volume.commit()
    })?;
    time("list 100,000 names", 1, || volume.entries(directory, &mut |_, _| ()))?;
    time("write of 1 KiB to each", FILES, || {
        inos.iter().try_for_each(|&ino| volume.write(ino, 0, &[7; 1024]))?;
        volume.commit()
    })?;
    time("create, write 1 KiB, commit", 1000, || {
        (0..1000).try_for_each(|nth| {
            let ino = volume.create(&file)?;
            volume.link(1, &name(nth), ino)?;
            volume.write(ino, 0, &[7; 1024])?;
            volume.release(ino)?;
            volume.commit()
        })
    })?;
    time("unlink", FILES, || {
        (0..FILES).try_for_each(|nth| volume.unlink(directory, &name(nth)).map(drop))?;
        volume.commit()
    })?;

    let big = volume.create(&file)?;
    volume.link(1, b"big", big)?;
    let records = 2048;
    let bytes: Vec<u8> = (0..RECORD as u32).map(|i| (i.wrapping_mul(2654435761) >> 13) as u8).collect();
    time("write of a record of 128 KiB", records, || {
        (0..records).try_for_each(|nth| volume.write(big, (nth * RECORD) as u64, &bytes))?;
        volume.commit()
    })?;
    let mut buffer = vec![0; RECORD];
    time("read of a record", records, || {
        (0..records).try_for_each(|nth| volume.read(big, (nth * RECORD) as u64, &mut buffer).map(drop))
    })?;
    time("read of 4 KiB, one after the other", records * 32, || {
        (0..records * 32).try_for_each(|nth| volume.read(big, (nth * 4096) as u64, &mut buffer[..4096]).map(drop))
    })?;
    time("write of 4 KiB anywhere", 2000, || {
        (0..2000)
            .try_for_each(|nth| volume.write(big, (nth * 7919 % (records * 32) * 4096) as u64, &buffer[..4096]))?;
        volume.commit()
    })?;
    let device = volume.into_device();
    let mut opened = None;
    time("mount", 1, || {
        opened = Some(Redox::open(device, Options::default())?);
        Ok(())
    })?;
    if let Some(mut volume) = opened {
        time("unlink 256 MiB", 1, || {
            volume.unlink(1, b"big")?;
            volume.commit()
        })?;
    }
    Ok(())
}

/// Nanoseconds that this process has run (see proc_pid_schedstat in the kernel's documentation): others on the machine do not count.
fn cpu_time() -> u64 {
    let times = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    times.split_whitespace().next().and_then(|time| time.parse().ok()).unwrap_or(0)
}

/// Prints what one of `count` operations took.
fn time(what: &str, count: usize, run: impl FnOnce() -> Result<()>) -> Result<()> {
    let start = cpu_time();
    run()?;
    println!("{:>10.2} {what}", (cpu_time() - start) as f64 / 1e3 / count as f64);
    Ok(())
}

//! Size classes: steps of 16 bytes up to 128, then four per doubling up to 32 KiB.

/// Largest small block, bytes.
pub const SMALL_MAX: usize = 32 << 10;
/// Number of classes.
pub const COUNT: usize = 40;

const LINEAR_MAX: usize = 128;
const LINEAR_COUNT: usize = LINEAR_MAX / 16;
const TABLE_MAX: usize = 1024;

const SIZES: [u16; COUNT] = {
    let mut sizes = [0; COUNT];
    let mut i = 0;
    while i < COUNT {
        sizes[i] = size_of_index(i) as u16;
        i += 1;
    }
    sizes
};

const TABLE: [u8; TABLE_MAX / 16 + 1] = {
    let mut table = [0; TABLE_MAX / 16 + 1];
    let mut i = 0;
    while i < table.len() {
        table[i] = compute(i * 16) as u8;
        i += 1;
    }
    table
};

const fn size_of_index(index: usize) -> usize {
    if index < LINEAR_COUNT {
        return (index + 1) * 16;
    }
    let step = index - LINEAR_COUNT;
    let base = LINEAR_MAX << (step / 4);
    base + (step % 4 + 1) * (base / 4)
}

const fn compute(size: usize) -> usize {
    if size <= LINEAR_MAX {
        return if size == 0 { 0 } else { (size - 1) / 16 };
    }
    // 2^log is the largest power of two below `size`; a quarter of it is the step.
    let log = (size - 1).ilog2() as usize;
    let quarter = (size - 1 - (1 << log)) >> (log - 2);
    LINEAR_COUNT + (log - 7) * 4 + quarter
}

/// The class whose blocks hold `size` bytes; `size` is at most [`SMALL_MAX`].
#[inline]
pub fn of(size: usize) -> usize {
    if size <= TABLE_MAX { TABLE[size.div_ceil(16)] as usize } else { compute(size) }
}

/// Bytes of a block of `class`.
#[inline]
pub fn size(class: usize) -> usize {
    SIZES[class] as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_gets_the_tightest_class() {
        for bytes in 0..=SMALL_MAX {
            let class = of(bytes);
            assert!(size(class) >= bytes);
            assert!(class == 0 || size(class - 1) < bytes, "{bytes} in class {class}");
        }
        assert_eq!(size(COUNT - 1), SMALL_MAX);
        assert!((0..COUNT).all(|class| size(class) % 16 == 0));
    }
}

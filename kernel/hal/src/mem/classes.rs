//! Size classes of the kernel heap. Pure arithmetic, tested on the host.

/// Object sizes in bytes. Multiples of 16; every power of two from 16 to [`LARGEST`] is among them.
pub const SIZES: [usize; 18] = [16, 32, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512, 640, 768, 1024, 1344, 2048];
/// Number of classes.
pub const COUNT: usize = SIZES.len();
/// The largest object of a class; what is larger gets whole pages.
pub const LARGEST: usize = SIZES[COUNT - 1];

/// Class by size in units of 16 bytes, rounded up.
static BY_SIZE: [u8; LARGEST / 16 + 1] = {
    let mut table = [0; LARGEST / 16 + 1];
    let (mut units, mut class) = (0, 0);
    while units < table.len() {
        if units * 16 > SIZES[class] {
            class += 1;
        }
        table[units] = class as u8;
        units += 1;
    }
    table
};

/// The class for an object of `size` bytes aligned to `align` (a power of two), or None if it needs whole pages.
#[inline(always)]
pub fn class_of(size: usize, align: usize) -> Option<usize> {
    // An object of a power of two is aligned to its size, as slabs are page-aligned; others to 16.
    let size = if align <= 16 { size } else { size.max(align).next_power_of_two() };
    if size > LARGEST { None } else { Some(BY_SIZE[(size + 15) >> 4] as usize) }
}

/// How many free objects of a class move at once between a CPU's list and the slabs.
pub const fn batch(class: usize) -> usize {
    let fitting = 4096 / SIZES[class];
    if fitting > 16 { 16 } else { fitting }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_fits_its_class() {
        for size in 0..=LARGEST + 32 {
            for align in (0..=12).map(|shift| 1usize << shift) {
                match class_of(size, align) {
                    Some(class) => {
                        assert!(SIZES[class] >= size.max(1));
                        assert!(align <= 16 || SIZES[class] % align == 0);
                        assert!(class == 0 || align > 16 || SIZES[class - 1] < size);
                    }
                    None => assert!(size > LARGEST || align > LARGEST),
                }
            }
        }
    }
}

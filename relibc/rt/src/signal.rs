//! Signals.

/// Bytes that a signal frame takes at most, with some room for a handler (AT_MINSIGSTKSZ).
pub fn minimum_stack() -> usize {
    crate::cpu::fpu_state_size() + 2048
}

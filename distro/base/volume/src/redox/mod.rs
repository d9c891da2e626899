//! Volumes in RedoxFS' format.

//! How C names are defined and exported.

/// Defines C functions. Each is `pub unsafe extern "C"` and exported under its name in the
/// build that makes `libc.so.6` (see the crate's documentation).
macro_rules! c_api {
    ($( $(#[$meta:meta])* fn $name:ident ( $($arg:ident : $ty:ty),* $(,)? ) $(-> $ret:ty)? $body:block )*) => {
        $(
            $(#[$meta])*
            #[cfg_attr(panic = "abort", unsafe(no_mangle))]
            pub unsafe extern "C" fn $name( $($arg : $ty),* ) $(-> $ret)? $body
        )*
    };
}

/// Defines further C names for a function: `alias! { fn open64 = open(path: *const c_char) -> c_int; }`.
macro_rules! c_alias {
    ($( fn $name:ident = $of:path [ $($arg:ident : $ty:ty),* $(,)? ] $(-> $ret:ty)? ; )*) => {
        $(
            /// Another name of the function it calls.
            #[cfg_attr(panic = "abort", unsafe(no_mangle))]
            pub unsafe extern "C" fn $name( $($arg : $ty),* ) $(-> $ret)? {
                $of($($arg),*)
            }
        )*
    };
}

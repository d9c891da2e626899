//! The scheme devd: its folders `dev`, `sys` and `udev` are bound to /dev, /sys and /run/udev, and `register` takes registrations.

use devd::server::Devd;
use ochre_scheme::{Result, Server};

fn main() -> Result<()> {
    let (mut server, inheritance) = Server::register_keeping("devd")?;
    let mut devd = Devd::new(server.port(), &inheritance)?;
    ochre_scheme::ready();
    server.run(&mut devd)
}

//! The scheme procfs, bound to /proc. (The scheme proc is the kernel's own, from which this one is made.)

use ochre_scheme::{Result, Server};
use procd::Proc;

fn main() -> Result<()> {
    let mut server = Server::register("procfs")?;
    ochre_scheme::ready();
    server.run(&mut Proc::new())
}

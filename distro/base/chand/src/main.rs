//! The scheme chan: `open("chan:name", O_CREAT)` makes a named channel, `dup("listen")` on it accepts a connection, `open("chan:name")`
//! connects; both ends then read and write.

use chand::Channels;
use ochre_scheme::{Result, Server};

fn main() -> Result<()> {
    let mut server = Server::register("chan")?;
    let mut channels = Channels::new(server.port());
    ochre_scheme::ready();
    server.run(&mut channels)
}

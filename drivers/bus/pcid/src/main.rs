//! The server of the scheme pci.

use ochre_scheme::{Result, Server};
use pcid::ecam::Ecam;
use pcid::function;
use pcid::scheme::Pci;

fn main() -> Result<()> {
    let ecam = Ecam::of_firmware();
    let functions = function::find(&ecam);
    let mut pci = Pci::new(ecam, functions);
    let mut server = Server::register("pci")?;
    ochre_scheme::ready();
    server.run(&mut pci)
}

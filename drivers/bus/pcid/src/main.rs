//! The server of the scheme pci.

use ochre_scheme::{Result, Server};
use pcid::announce::announce;
use pcid::ecam::Ecam;
use pcid::function;
use pcid::scheme::Pci;

fn main() -> Result<()> {
    let ecam = Ecam::of_firmware();
    let functions = function::find(&ecam);
    // The functions are there as long as this server.
    let _registration = announce(&ecam, &functions);
    let mut pci = Pci::new(ecam, functions);
    let mut server = Server::register("pci")?;
    ochre_scheme::ready();
    server.run(&mut pci)
}

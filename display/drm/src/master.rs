//! Who may change what is shown: the master, and whom it trusts (drm_auth.c).

use crate::device::Device;
use crate::driver::Driver;
use crate::vblank::ClientId;
use ochre_abi::{Errno, Result};

impl<D: Driver> Device<D> {
    /// DRM_IOCTL_GET_MAGIC: a number that the master can authenticate this client by.
    pub(crate) fn magic(&mut self, id: ClientId) -> Result<u32> {
        if self.client(id)?.magic == 0 {
            let magic = self.new_magic();
            self.client(id)?.magic = magic;
        }
        Ok(self.client(id)?.magic)
    }

    /// DRM_IOCTL_AUTH_MAGIC. EINVAL: nobody has that number.
    pub(crate) fn authenticate(&mut self, magic: u32) -> Result<()> {
        let client = self.clients.values_mut().find(|client| magic != 0 && client.magic == magic);
        client.ok_or(Errno::EINVAL)?.authenticated = true;
        Ok(())
    }

    /// DRM_IOCTL_SET_MASTER. EACCES: only root, and who was it before; EBUSY: another is.
    pub(crate) fn set_master(&mut self, id: ClientId, root: bool) -> Result<()> {
        let client = self.client(id)?;
        if !root && !client.was_master {
            return Err(Errno::EACCES);
        }
        match self.master {
            Some(master) if master == id => Ok(()),
            Some(_) => Err(Errno::EBUSY),
            None => {
                let client = self.client(id)?;
                (client.was_master, client.authenticated) = (true, true);
                self.master = Some(id);
                Ok(())
            }
        }
    }

    /// DRM_IOCTL_DROP_MASTER. EACCES as above; EINVAL: it is not the master.
    pub(crate) fn drop_master(&mut self, id: ClientId, root: bool) -> Result<()> {
        if !root && !self.client(id)?.was_master {
            return Err(Errno::EACCES);
        }
        if self.master != Some(id) {
            return Err(Errno::EINVAL);
        }
        self.master = None;
        Ok(())
    }
}

//! The server that the calls go to.

use crate::Result;
use ochre_rt::syscall;
use ochre_scheme::abi::call::OP_PRIVATE;
use ochre_scheme::{Answer, Errno, Op, Request, Scheme, Server};

struct Echo {
    buffer: Vec<u8>,
}

impl Scheme for Echo {
    fn open(&mut self, _: &mut Request, _flags: u32, _mode: u32) -> ochre_scheme::Result<Answer> {
        Ok(Answer::opened(1))
    }

    fn read(&mut self, request: &mut Request, _: Option<u64>, len: usize) -> ochre_scheme::Result<Answer> {
        request.put(&self.buffer[..len.min(self.buffer.len())])?;
        request.data_answer()
    }

    fn write(&mut self, _: &mut Request, _: Option<u64>, len: usize) -> ochre_scheme::Result<Answer> {
        Ok(Answer::value(len))
    }

    fn other(&mut self, request: &mut Request, op: Op) -> ochre_scheme::Result<Answer> {
        match op {
            // The handler looks at what came: its arguments and its payload.
            Op::Private { op: OP_PRIVATE, args } => {
                let first = request.payload().first().copied().unwrap_or_default();
                Ok(Answer::value(args[0] as usize + usize::from(first)))
            }
            Op::Private { .. } => {
                let copied = request.window(0)?.read_at(0, &mut self.buffer)?;
                Ok(Answer::value(copied))
            }
            _ => Err(Errno::EINVAL),
        }
    }
}

/// Serves /scheme/ipcbench until it is killed, on one CPU if that is given.
pub fn serve(cpu: Option<usize>) -> Result<()> {
    if let Some(cpu) = cpu {
        syscall::set_affinity(0, 1 << cpu)?;
    }
    let mut server = Server::register("ipcbench")?;
    ochre_scheme::ready();
    server.run(&mut Echo { buffer: vec![7; 1 << 20] })?;
    Ok(())
}

//! Names over a kernel of the test's own: a socket is a number, open while it stands in a set.

use super::*;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

#[derive(Clone, Default)]
struct Played(Rc<RefCell<BTreeMap<i32, Vec<u8>>>>);

impl Sockets for Played {
    type Reference = i32;

    fn reference(&self, socket: &OwnedFd, name: &[u8]) -> Result<i32> {
        self.0.borrow_mut().insert(socket.get(), name.to_vec());
        Ok(socket.get())
    }

    fn lives(&self, reference: &i32) -> bool {
        self.0.borrow().contains_key(reference)
    }

    fn descriptor(&self, reference: &i32) -> i32 {
        *reference
    }

    fn next(&self, after: u64) -> Result<Option<(u64, Vec<u8>, i32)>> {
        let sockets = self.0.borrow();
        Ok(sockets.range(after as i32 + 1..).next().map(|(number, name)| (*number as u64, name.clone(), *number)))
    }
}

/// Binds socket number `number`, which is never a descriptor of this process.
fn bind(names: &mut Names<Played>, wish: Option<&[u8]>, number: i32) -> Result<Vec<u8>> {
    let socket = OwnedFd::new(number);
    let wish = wish.map_or(Wish::Any(b'1'), |name| Wish::Name(name.to_vec()));
    let bound = names.bind(wish, &socket);
    let _ = socket.into_raw();
    bound
}

#[test]
fn a_name_is_free_once_its_socket_is_gone() {
    let kernel = Played::default();
    let mut names = Names::recover(kernel.clone()).unwrap();
    assert_eq!(names.reach(b"a\0b"), Err(Errno::ECONNREFUSED));
    bind(&mut names, Some(b"a\0b"), 1000).unwrap();
    assert_eq!(names.reach(b"a\0b"), Ok(1000));
    assert_eq!(bind(&mut names, Some(b"a\0b"), 1001), Err(Errno::EADDRINUSE));
    kernel.0.borrow_mut().remove(&1000);
    assert_eq!(names.reach(b"a\0b"), Err(Errno::ECONNREFUSED));
    assert!(bind(&mut names, Some(b"a\0b"), 1001).is_ok());
}

#[test]
fn the_next_server_has_the_living_names() {
    let kernel = Played::default();
    let mut names = Names::recover(kernel.clone()).unwrap();
    bind(&mut names, Some(b"one"), 1000).unwrap();
    bind(&mut names, Some(b"two"), 1001).unwrap();
    kernel.0.borrow_mut().remove(&1000);
    let next = Names::recover(kernel).unwrap();
    assert_eq!((next.reach(b"one"), next.reach(b"two")), (Err(Errno::ECONNREFUSED), Ok(1001)));
}

#[test]
fn chosen_names_pass_over_those_that_are_taken() {
    let mut names = Names::recover(Played::default()).unwrap();
    bind(&mut names, Some(b"100001"), 1000).unwrap();
    assert_eq!(bind(&mut names, None, 1001).unwrap(), b"100000");
    assert_eq!(bind(&mut names, None, 1002).unwrap(), b"100002");
}

#[test]
fn dead_names_are_swept() {
    let kernel = Played::default();
    let mut names = Names::recover(kernel.clone()).unwrap();
    for number in 1000..3000 {
        bind(&mut names, None, number).unwrap();
        kernel.0.borrow_mut().remove(&number);
    }
    assert!(names.bound.len() <= SWEEP_MIN + 1);
}

#[test]
fn digits() {
    assert_eq!(decode(b"100ff41"), Ok(Wish::Name(vec![b'1', 0, 255, b'A'])));
    assert_eq!(decode(b"2"), Ok(Wish::Name(vec![b'2'])));
    assert_eq!(decode(b"5any"), Ok(Wish::Any(b'5')));
    for bad in [&b""[..], b"10", b"10g", &[b'0'; 217]] {
        assert_eq!(decode(bad), Err(Errno::EINVAL));
    }
}

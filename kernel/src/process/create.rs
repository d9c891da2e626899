//! New processes and new programs: PROCESS_CREATE, FORK, SPACE_EXEC.

use super::*;

/// EAGAIN if the user has as many processes as RLIMIT_NPROC allows; the superuser has no such limit.
fn check_process_count(parent: &Process) -> Result<()> {
    let limit = parent.limit(abi::RLIMIT_NPROC as usize);
    let user = parent.credentials().ruid;
    if limit == abi::RLIM_INFINITY || user == 0 {
        return Ok(());
    }
    let count = all().iter().filter(|process| process.credentials().ruid == user).count();
    if count as u64 >= limit { Err(Errno::EAGAIN) } else { Ok(()) }
}

/// PROCESS_CREATE.
pub fn process_create(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let args: abi::ProcessArgs = crate::user::read(a[0])?;
    let parent = &me.process;
    if !crate::mm::reclaim::has_room() {
        return Err(Errno::ENOMEM);
    }
    check_process_count(parent)?;
    let space_file = parent.file(args.space)?;
    let space = space_file.object::<SpaceFile>().ok_or(Errno::EINVAL)?.take()?;
    let mut from = parent.heritage();
    from.program = Arc::new(Program::new(parent, args.start.program));
    if args.cwd >= 0 {
        from.cwd = Some(parent.file(args.cwd)?);
    }
    from.rights &= args.rights;
    if args.flags & abi::PROCESS_NULL_NAMESPACE != 0 {
        from.namespace = Namespace::null();
    }
    if args.flags & abi::PROCESS_NEW_SESSION != 0 {
        from.sid = 0;
        from.pgid = 0;
    } else if args.pgid == u64::MAX {
        from.pgid = 0;
    } else if args.pgid != 0 {
        from.pgid = group_in_session(args.pgid as u32, from.sid)?;
    }
    let handles = child_handles(parent, &args)?;
    let table = space.table();
    let regs =
        hal::UserRegs { rip: args.start.entry, rsp: args.start.stack, rflags: 0x202, ..hal::UserRegs::default() };
    let context = hal::context::Context::new_user(&regs, 0, table).ok_or(Errno::ENOMEM)?;
    let pid = allocate_id()?;
    let child = Process::new(pid, space, handles, from)?;
    child.execed.store(true, Relaxed);
    child.signals.inherit_umask(&parent.signals);
    child.signals.start(&child, args.start.sigignore)?;
    let thread = Thread::new(&child, pid, context, args.start.name);
    thread.signals.set_initial_mask(args.start.sigmask);
    child.add_thread(&thread)?;
    // The descriptor has done its work; another thread may have closed it meanwhile.
    drop(parent.take(args.space));
    crate::sched::start(&thread);
    Ok(pid as usize)
}

/// The child's handle table as PROCESS_CREATE describes it.
fn child_handles(parent: &Process, args: &abi::ProcessArgs) -> Result<FdTable<Arc<File>>> {
    let limit = parent.fd_limit();
    let mut handles = if args.flags & abi::PROCESS_INHERIT_FDS != 0 {
        let mut copy = parent.handles.lock().clone();
        drop(copy.remove_where(|_, entry| entry.close_on_exec));
        copy
    } else {
        FdTable::new()
    };
    if args.fd_count > limit as u64 {
        return Err(Errno::EMFILE);
    }
    for n in 0..args.fd_count {
        let pair: abi::FdPair = crate::user::read(args.fds.wrapping_add(n * size_of::<abi::FdPair>() as u64))?;
        let file = parent.file(pair.source)?;
        handles.replace(pair.target, limit, file, false).map_err(|_| Errno::EBADF)?;
    }
    Ok(handles)
}

/// FORK: the child returns 0 from the same syscall.
#[inline(never)]
pub fn fork(me: &Arc<Thread>, regs: &hal::UserRegs) -> Result<usize> {
    let parent = &me.process;
    if !crate::mm::reclaim::has_room() {
        return Err(Errno::ENOMEM);
    }
    check_process_count(parent)?;
    let space = parent.space().fork()?;
    let handles = parent.handles.lock().clone();
    let child_regs = hal::UserRegs { rax: 0, ..*regs };
    let fs_base = me.context.fs_base();
    let context = hal::context::Context::fork_current(&child_regs, fs_base, space.table()).ok_or(Errno::ENOMEM)?;
    let pid = allocate_id()?;
    let child = Process::new(pid, space, handles, parent.heritage())?;
    child.signals.fork_from(&child, &parent.signals)?;
    child.reflect.store(parent.reflect.load(Relaxed), Relaxed);
    let thread = Thread::new(&child, pid, context, me.name());
    thread.reflect_fs.store(me.reflect_fs.load(Relaxed), Relaxed);
    thread.signals.fork_from(&thread, &me.signals)?;
    child.add_thread(&thread)?;
    crate::sched::start(&thread);
    Ok(pid as usize)
}

/// SPACE_EXEC: a fresh first thread in the new space; the calling thread and all others end.
pub fn space_exec(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let process = &me.process;
    let args: abi::StartArgs = crate::user::read(a[1])?;
    let space_file = process.file(a[0] as i32)?;
    let regs = hal::UserRegs { rip: args.entry, rsp: args.stack, rflags: 0x202, ..hal::UserRegs::default() };
    let space = space_file.object::<SpaceFile>().ok_or(Errno::EINVAL)?.take()?;
    drop(space_file);
    let context = hal::context::Context::new_user(&regs, 0, space.table()).ok_or(Errno::ENOMEM)?;
    let program = Program::new(process, args.program);
    process.become_alone(me)?;
    let clear = me.clear_tid.swap(0, Relaxed);
    if clear != 0 && crate::user::write(clear, &0u32).is_ok() {
        crate::io::futex::wake_address(me, clear);
    }
    crate::io::futex::exit_robust_list(me);
    me.robust_list.store(0, Relaxed);
    let closed = process.handles.lock().remove_where(|_, entry| entry.close_on_exec);
    process.closed(closed.iter());
    drop(closed);
    let old = process.replace_space(space);
    process.set_program(program);
    process.execed.store(true, Relaxed);
    process.reflect.store(0, Relaxed);
    process.timers.exec();
    process.attributes(|own| own.undumpable = false);
    process.signals.exec(process, args.sigignore)?;
    let thread = Thread::new(process, process.pid, context, args.name);
    thread.signals.set_initial_mask(args.sigmask);
    thread.signals.take_over_pending(&me.signals);
    me.signals.forget_page();
    if process.add_thread(&thread).is_ok() {
        crate::sched::start(&thread);
    }
    me.ask(KILLED);
    old.clear();
    Ok(0)
}

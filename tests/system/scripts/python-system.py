"""What Python asks of the system: threads, processes, descriptors, sockets, memory."""
import asyncio, concurrent.futures, errno, fcntl, glob, mmap, multiprocessing, os, pathlib, queue, resource, select, selectors, shutil
import signal, socket, stat, subprocess, sys, tempfile, threading, time


def threads():
    lock, total, found = threading.Lock(), [0], queue.Queue()

    def work(number):
        for step in range(500):
            with lock:
                total[0] += step
        found.put(number)

    crowd = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    [t.start() for t in crowd]
    [t.join() for t in crowd]
    print("threads", total[0], sorted(found.queue))
    event, barrier, ready = threading.Event(), threading.Barrier(3), threading.Condition()
    print("wait", event.wait(0.01), threading.Thread(target=event.set).start(), event.wait(5))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print("pool", list(pool.map(lambda x: x * x, range(10))))
    passed = []
    crowd = [threading.Thread(target=lambda: passed.append(barrier.wait() >= 0)) for _ in range(3)]
    [t.start() for t in crowd]
    [t.join() for t in crowd]
    with ready:
        print("barrier", passed, "condition", ready.wait(0.01))
    local = threading.local()
    local.x = 1
    seen = []
    t = threading.Thread(target=lambda: seen.append(hasattr(local, "x")))
    t.start()
    t.join()
    print("local", seen)


def processes():
    done = subprocess.run(["sh", "-c", "cat; echo err >&2; exit 3"], input=b"to the child", capture_output=True)
    print("run", done.returncode, done.stdout, done.stderr)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as cat:
        cat.stdin.write("line\n")
        cat.stdin.flush()
        print("popen", cat.stdout.readline())
    try:
        subprocess.run(["sleep", "10"], timeout=0.1)
    except subprocess.TimeoutExpired as stop:
        print("timeout", stop.cmd)
    try:
        subprocess.run(["/no/such/program"])
    except FileNotFoundError as error:
        print("missing", error.errno, error.strerror)
    print("shell", subprocess.getstatusoutput("echo $((6 * 7)); exit 2"), subprocess.run("kill -9 $$", shell=True).returncode)
    print("fds", subprocess.run([sys.executable, "-c", "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:3])"], capture_output=True).stdout)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os._exit(7)
    print("fork", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    spawned = os.posix_spawn("/bin/sh", ["sh", "-c", "exit $X"], {"X": "5"}, setsigdef=[signal.SIGPIPE])
    print("spawn", os.waitstatus_to_exitcode(os.waitpid(spawned, 0)[1]))
    try:
        os.waitpid(-1, 0)
    except ChildProcessError as error:
        print("nobody", errno.errorcode[error.errno])
    handle = os.pidfd_open(os.getpid())
    print("pidfd", select.select([handle], [], [], 0))
    os.close(handle)


def descriptors():
    a, b = socket.socketpair()
    reader, writer = os.pipe()
    socket.send_fds(a, [b"take"], [reader, writer])
    text, taken, _, _ = socket.recv_fds(b, 10, 4)
    os.write(taken[1], b"through")
    print("passed", text, len(taken), os.read(reader, 20), all(fd > writer for fd in taken))
    poll = select.epoll()
    poll.register(b, select.EPOLLIN | select.EPOLLET)
    print("epoll", poll.poll(0), a.send(b"x"), [event for _, event in poll.poll(1)], poll.poll(0), b.recv(9))
    a.shutdown(socket.SHUT_WR)
    print("hangup", [bool(event & select.EPOLLRDHUP or event & select.EPOLLIN) for _, event in poll.poll(1)], b.recv(9))
    poll.close()
    watcher = selectors.DefaultSelector()
    watcher.register(reader, selectors.EVENT_READ, "pipe")
    os.write(writer, b"y")
    print("selector", [key.data for key, _ in watcher.select(1)], os.read(reader, 1))
    watch = select.poll()
    watch.register(reader, select.POLLIN)
    os.close(writer)
    [os.close(fd) for fd in taken]
    print("poll", [event for _, event in watch.poll(1000)], os.read(reader, 1))
    os.set_blocking(b.fileno(), False)
    try:
        a2, b2 = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        a2.send(b"one")
        a2.send(b"two")
        print("seqpacket", b2.recv(2), b2.recv(10))
        b2.setblocking(False)
        b2.recv(1)
    except BlockingIOError as error:
        print("again", error.errno)
    print("flags", fcntl.fcntl(reader, fcntl.F_GETFD), fcntl.fcntl(reader, fcntl.F_GETFL), os.get_inheritable(reader))
    memory = os.memfd_create("m", os.MFD_ALLOW_SEALING)
    os.write(memory, b"sealed")
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    try:
        os.write(memory, b"x")
    except PermissionError as error:
        print("seal", error.errno, fcntl.fcntl(memory, fcntl.F_GET_SEALS))
    counter = os.eventfd(3, os.EFD_SEMAPHORE)
    print("eventfd", os.eventfd_read(counter), os.eventfd_read(counter))


def network():
    server = socket.create_server(("127.0.0.1", 0)) if os.path.exists("/proc/net") and False else None
    path = os.path.join(tempfile.mkdtemp(), "socket")
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    peer, _ = server.accept()
    client.sendall(b"hello")
    pid = int.from_bytes(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)
    print("unix", peer.recv(10), pid == os.getpid(), stat.S_ISSOCK(os.stat(path).st_mode))
    try:
        socket.socket(socket.AF_UNIX).connect(path + "x")
    except FileNotFoundError as error:
        print("refused", error.errno)

    async def echo():
        async def serve(reader, writer):
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()

        async with await asyncio.start_unix_server(serve, path + "2"):
            reader, writer = await asyncio.open_unix_connection(path + "2")
            writer.write(b"asynchronous\n")
            answer = await reader.readline()
            child = await asyncio.create_subprocess_exec("echo", "sub", stdout=asyncio.subprocess.PIPE)
            return answer, (await child.communicate())[0], await asyncio.sleep(0.01, "slept")

    print("asyncio", asyncio.run(echo()))


if __name__ == "__main__":
    for part in (threads, processes, descriptors, network):
        part()
        sys.stdout.flush()

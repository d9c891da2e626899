# Everyday calls while a signal with a handler comes every half millisecond: results are as without.
import hashlib, os, signal, socket, subprocess, sys, tempfile, threading, time

caught = 0


def handler(number, frame):
    global caught
    caught += 1


signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
end = time.monotonic() + 2
with tempfile.TemporaryDirectory() as folder:
    for turn in range(10):
        path = os.path.join(folder, f"file{turn}")
        with open(path, "wb") as file:
            for n in range(100):
                file.write(bytes([n]) * 1000)
            file.flush()
            os.fsync(file.fileno())
        with open(path, "rb") as file:
            print(turn, hashlib.sha256(file.read()).hexdigest()[:16], os.stat(path).st_size)
        os.rename(path, path + ".new")
        os.link(path + ".new", path)
        os.unlink(path + ".new")
        print(sorted(os.listdir(folder))[-1])
        near, far = socket.socketpair()
        sender = threading.Thread(target=lambda: (far.sendall(b"x" * 200000), far.close()))
        sender.start()
        received = 0
        while chunk := near.recv(65536):
            received += len(chunk)
        sender.join()
        near.close()
        print("received", received)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, b"from the child")
            os._exit(7)
        print(os.read(read, 100), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        os.close(read)
        os.close(write)
        print(subprocess.run(["/bin/sh", "-c", "echo out; exit 3"], capture_output=True, text=True))
        time.sleep(0.01)
while time.monotonic() < end:
    os.getcwd()
signal.setitimer(signal.ITIMER_REAL, 0)
print("caught many", caught > 100)

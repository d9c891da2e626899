"""Files, maps, locks and limits in Python."""
import asyncio, concurrent.futures, errno, fcntl, glob, mmap, multiprocessing, os, pathlib, queue, resource, select, selectors, shutil
import signal, socket, stat, subprocess, sys, tempfile, threading, time


def files():
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "a").write_text("text\n")
    (folder / "link").symlink_to("a")
    os.link(folder / "a", folder / "b")
    print("files", sorted(p.name for p in folder.iterdir()), (folder / "a").stat().st_nlink, os.readlink(folder / "link"), sorted(map(os.path.basename, glob.glob(str(folder / "[ab]")))))
    with open(folder / "map", "w+b") as file:
        file.truncate(8192)
        with mmap.mmap(file.fileno(), 8192) as view:
            view[4000:4010] = b"mapped str"
            view.flush()
            print("mmap", view.find(b"mapped"), view[4000:4006])
        file.seek(4000)
        print("written", file.read(10))
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_EX)
    with mmap.mmap(-1, 4096) as shared:
        if os.fork() == 0:
            shared[:5] = b"child"
            os._exit(0)
        os.wait()
        print("shared", shared[:5])
    os.utime(folder / "a", ns=(10 ** 18, 10 ** 18 + 5))
    print("times", os.stat(folder / "a").st_mtime_ns, oct(os.stat(folder).st_mode), os.access(folder, os.W_OK))
    with os.scandir(folder) as entries:
        print("scandir", sorted((e.name, e.is_file(), e.is_symlink()) for e in entries))
    shutil.copytree(folder, folder / "copy", symlinks=True)
    print("walk", [(len(d), sorted(f)) for _, d, f in os.walk(folder / "copy")], os.path.getsize(folder / "copy" / "map"))
    os.replace(folder / "a", folder / "c")
    shutil.rmtree(folder)
    print("gone", folder.exists())
    for problem in ("/no/such", "/etc/passwd/x", "/" + "x" * 300, "/" + "y/" * 2600):
        try:
            open(problem)
        except OSError as error:
            print("error", errno.errorcode[error.errno])
    print("limits", resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 10, os.sysconf("SC_PAGE_SIZE"), os.cpu_count() > 0, os.path.realpath("/bin/sh"), len(os.urandom(9)), time.monotonic() > 0)


files()

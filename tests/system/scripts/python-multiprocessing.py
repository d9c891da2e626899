"""Processes that Python makes and talks to, started in each way."""
import multiprocessing, os


def square(x):
    return x * x


def put(numbers, value):
    numbers.put([value, os.getpid() != os.getppid()])


def many():
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            print(method, pool.map(square, range(8)))
        numbers, shared = context.Queue(), context.Value("i", 0)
        child = context.Process(target=put, args=(numbers, method))
        child.start()
        print("queue", numbers.get(timeout=60))
        child.join()
        print("exit", child.exitcode, shared.value)


if __name__ == "__main__":
    many()

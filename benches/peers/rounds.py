"""Takes the time of a reader, as the bench does with its own."""

import time
from importlib.metadata import version


def measure(package, read, rounds):
    """Prints rows, seconds of the shortest round, CPU seconds of the average one, and the package's version.

    `read` reads everything once and gives the number of rows. The first time is not counted: imports, connections and
    descriptions of models are then behind us.
    """
    rows = read()
    least = float("inf")
    before = time.process_time()
    for _ in range(rounds):
        start = time.perf_counter()
        if read() != rows:
            raise SystemExit("not the same rows in every round")
        least = min(least, time.perf_counter() - start)
    cpu = (time.process_time() - before) / rounds
    print(rows, f"{least:.6f}", f"{cpu:.6f}", version(package))

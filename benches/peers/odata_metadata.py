"""Reads the first metadata document that pyodata can, of those that are named: ROUNDS FILE...

Prints seconds of the shortest round, the version of pyodata, and the file; nothing where it can read none.
"""

import logging
import sys
import time
from importlib.metadata import version

from pyodata.v2.model import MetadataBuilder

# It tells of every annotation that it does not know.
logging.disable(logging.CRITICAL)


def seconds(document):
    start = time.perf_counter()
    MetadataBuilder(document).build()
    return time.perf_counter() - start


for file in sys.argv[2:]:
    with open(file, "rb") as opened:
        document = opened.read()
    try:
        seconds(document)
    except Exception:
        continue
    least = min(seconds(document) for _ in range(int(sys.argv[1])))
    print(f"{least:.6f}", version("pyodata"), file)
    break

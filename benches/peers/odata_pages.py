"""Reads a set of an OData V2 service page by page with pyodata: ROOT USER PASSWORD SET KEY PAGE ROUNDS FIELD..."""

import sys

import pyodata
import requests
import rounds

root, user, password, name, key, page, times = sys.argv[1:8]
fields = sys.argv[8:]
page = int(page)
session = requests.Session()
session.auth = (user, password)
entities = getattr(pyodata.Client(root, session).entity_sets, name)


def read():
    count, last = 0, None
    while True:
        request = entities.get_entities().select(",".join(fields)).order_by(key).top(page)
        # By key and not by offset, as the connector pages.
        rows = (request if last is None else request.filter(f"{key} gt '{last}'")).execute()
        # Looked at, so that nothing can be left out.
        for row in rows:
            for field in fields:
                getattr(row, field)
        count += len(rows)
        if len(rows) < page:
            return count
        last = getattr(rows[-1], key)


rounds.measure("pyodata", read, int(times))

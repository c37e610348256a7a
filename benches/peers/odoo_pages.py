"""Reads partners of an Odoo page by page: PEER PORT DATABASE LOGIN KEY MARK PAGE ROUNDS FIELD..."""

import sys

import rounds

peer, port, database, login, key, mark, page, times = sys.argv[1:9]
fields = sys.argv[9:]
page = int(page)


def odoorpc():
    import odoorpc

    odoo = odoorpc.ODOO("127.0.0.1", port=int(port))
    odoo.login(database, login, key)
    partners = odoo.env["res.partner"]
    return lambda domain: partners.search_read(domain, fields, 0, page, "id")


def odoolib_jsonrpc():
    import odoolib

    connection = odoolib.get_connection("127.0.0.1", "jsonrpc", int(port), database, login, key)
    connection.check_login()
    # Its own search_read asks twice a page; this asks once, as the others do.
    call = connection.get_service("object").execute_kw
    wanted = {"fields": fields, "limit": page, "order": "id"}
    return lambda domain: call(database, connection.user_id, key, "res.partner", "search_read", [domain], wanted)


def odoolib_json2():
    import odoolib

    connection = odoolib.get_connection("127.0.0.1", "json2", int(port), database, login, key)
    partners = connection.get_model("res.partner")
    return lambda domain: partners.search_read(domain=domain, fields=fields, limit=page, order="id")


PEERS = {
    "odoorpc": ("odoorpc", odoorpc),
    "odoolib-jsonrpc": ("odoo-client-lib", odoolib_jsonrpc),
    "odoolib-json2": ("odoo-client-lib", odoolib_json2),
}
package, connect = PEERS[peer]
search_read = connect()


def read():
    count, last = 0, 0
    while True:
        # By id and not by offset, as the connector pages.
        rows = search_read([["supplier_rank", "=", int(mark)], ["id", ">", last]])
        # Looked at, so that nothing can be left out.
        count += sum(1 for row in rows if all(field in row for field in fields))
        if len(rows) < page:
            return count
        last = rows[-1]["id"]


rounds.measure(package, read, int(times))

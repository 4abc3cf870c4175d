"""The commands `address`, `restart`, `factory-reset` and `shutdown`."""


def run(console, name, words):
    """`factory-reset` takes the word yes, `address` an IPv4 address."""
    node = console.node
    if name == "address":
        return _address(node, words)
    if name == "factory-reset":
        if words != ["yes"]:
            raise ValueError("this forgets peers, settings and the password: factory-reset yes")
        for file in ("settings", "lock"):
            node.storage.remove(file)
        node.settings.clear()
        node.registration.forget()
        if node.storage.has("keys"):
            from firmware.key_change import forget

            forget(node.storage)
        node.stop("restart")
        return {"text": "peers, settings and password are forgotten; restarting"}
    node.stop(name)
    return {"text": "restarting" if name == "restart" else "goodbye"}


def _address(node, words):
    if words:
        parts = words[0].split(".")
        if len(parts) != 4 or not all(part.isdigit() and int(part) < 256 for part in parts):
            raise ValueError("address takes four numbers, like 192.0.2.7")
        if node.config.mdns_address is None:
            raise ValueError("mDNS is off")
        node.neighbours.moved(words[0])
    return {"address": node.config.mdns_address, "port": node.config.port}

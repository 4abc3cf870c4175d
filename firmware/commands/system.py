"""The commands `restart`, `factory-reset` and `shutdown`."""


def run(console, name, words):
    """Only `factory-reset` takes a word: yes."""
    node = console.node
    if name == "factory-reset":
        if words != ["yes"]:
            raise ValueError("this forgets peers, settings and the password: factory-reset yes")
        for file in ("settings", "lock"):
            node.storage.remove(file)
        node.settings.clear()
        node.registration.forget()
        node.stop("restart")
        return {"text": "peers, settings and password are forgotten; restarting"}
    node.stop(name)
    return {"text": "restarting" if name == "restart" else "goodbye"}

"""The commands `restart`, `factory-reset` and `shutdown`."""


def run(console, name, words):
    """Only `factory-reset` takes a word: yes."""
    node = console.node
    if name == "factory-reset":
        if words != ["yes"]:
            raise ValueError("this forgets all peers and settings: factory-reset yes")
        node.storage.remove("settings")
        node.settings.clear()
        node.registration.forget()
        node.stop("restart")
        return {"text": "peers and settings are forgotten; restarting"}
    node.stop(name)
    return {"text": "restarting" if name == "restart" else "goodbye"}

"""The command `peers`: who is trusted, connected, seen in the network."""


def run(console, name, words):
    """Takes no words."""
    node = console.node
    return {
        "trusted": node.registration.store.peers,
        "connections": [
            {
                "ski": link.ski or "",
                "role": "client" if link.target else "server",
                "state": link.state(),
                "pending": link.is_pending(),
            }
            for link in node.links.all
        ],
        "seen": node.neighbours.seen(),
    }

"""The commands `id`, `certificate` and `log`: who the charger is and what it has met."""

import binascii

from ship.ski import group


def run(console, name, words):
    """Each takes no words."""
    node = console.node
    if name == "id":
        return _id(node)
    if name == "certificate":
        return _certificate(node)
    lines = node.log.lines()
    return {"text": "\n".join(lines), "lines": lines}


def _id(node):
    ski = node.identity.ski
    return {
        "ship_id": node.ship_id,
        "ski": ski,
        "ski_label": group(ski),
        "device": node.device.address,
        "qr": node.qr_text(),
    }


def _certificate(node):
    text = str(binascii.b2a_base64(node.identity.certificate), "ascii").strip()
    rows = [text[at : at + 64] for at in range(0, len(text), 64)]
    pem = ["-----BEGIN CERTIFICATE-----"] + rows + ["-----END CERTIFICATE-----"]
    return {"text": "\n".join(pem)}

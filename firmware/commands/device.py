"""The commands `id` and `certificate`: who the charger is."""

import binascii

from ship.ski import group


def run(console, name, words):
    """Each takes no words."""
    return _id(console.node) if name == "id" else _certificate(console.node)


def _id(node):
    ski = node.identity.ski
    return {
        "ship_id": node.ship_id,
        "ski": ski,
        "ski_label": group(ski),
        "device": node.device.address,
        "pin": group(node.identity.pin),
        "qr": node.qr_text(),
    }


def _certificate(node):
    text = str(binascii.b2a_base64(node.identity.certificate), "ascii").strip()
    rows = [text[at : at + 64] for at in range(0, len(text), 64)]
    pem = ["-----BEGIN CERTIFICATE-----"] + rows + ["-----END CERTIFICATE-----"]
    return {"text": "\n".join(pem)}

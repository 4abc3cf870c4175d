"""SHIP: WebSocket framing, messages, handshake phases, trust, keys and QR text (IEC 63380-3 6)."""

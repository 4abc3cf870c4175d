"""Runs under MicroPython: a server that does nothing but mutual TLS handshakes, for comparison.

Arguments: port, certificate file, key file (DER). Prints "ready", then serves until it is ended.
"""

import socket
import sys

import tls


def main(port, certificate, key):
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.set_ciphers(["TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256"])
    with open(certificate, "rb") as c, open(key, "rb") as k:
        context.load_cert_chain(c.read(), k.read())
    context.verify_mode = tls.CERT_OPTIONAL
    context.verify_callback = lambda certificate, depth: 0
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(socket.getaddrinfo("127.0.0.1", port)[0][-1])
    listener.listen(4)
    print("ready")
    while True:
        raw, _ = listener.accept()
        raw.setsockopt(6, 1, 1)  # TCP_NODELAY
        try:
            stream = context.wrap_socket(raw, server_side=True)
            stream.write(b"!")
            stream.read(1)
        except OSError:
            pass
        raw.close()


main(int(sys.argv[1]), sys.argv[2], sys.argv[3])

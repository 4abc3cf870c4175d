"""Times on loopback: connect, first accepted limit, limit write to result, loop stall."""

import socket
import ssl
import subprocess
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from host_tests.bench.client import Client
from host_tests.bench.figures import Figure, median, p95
from tools.energy_manager.identity import Identity
from tools.micropython import micropython_path
from tools.simulate import Simulator

CONNECTIONS = 25
WRITES = 500


def measure(folder: Path, code: str = "source") -> list[Figure]:
    """All figures of this file, against a charger started for it."""
    identity = Identity.load(folder / "manager")
    bare = bare_handshake(identity, folder)
    with Simulator(
        state=str(folder / "charger"), port=0, code=code, no_mdns=True, trust=[identity.ski]
    ) as charger:
        port = charger.port
        charger.command("status")
        times, writes = against(identity, "127.0.0.1", port)
        stall_ms = quiet_stall(identity, charger, port)
    return [
        Figure("bare TLS handshake, median", bare, "ms", None, "MicroPython doing nothing else"),
        Figure("TCP connect to data exchange, median", times["data"], "ms", round(bare + 8, 1)),
        Figure("TCP connect to first limit, median", times["limit"], "ms", round(bare + 20, 1)),
        Figure("limit write to result, median", median(writes), "ms", 0.6),
        Figure("limit write to result, p95", p95(writes), "ms"),
        Figure("longest loop stall after the handshake", stall_ms, "ms", 10),
    ]


def against(identity: Identity, host: str, port: int) -> tuple[dict[str, float], list[float]]:
    """Median times of many connections, and the round trips of many writes on the last one."""
    runs = []
    client = None
    for _ in range(CONNECTIONS):
        if client:
            client.close()
            time.sleep(0.05)
        client = Client(identity, host, port)
        client.connect()
        client.commission()
        runs.append(client.times)
    writes = []
    for number in range(WRITES):
        writes.append(client.limit(True, 4200 + number % 100))
        if number % 100 == 0:
            client.heartbeat()
    client.close()
    return {name: median([run[name] for run in runs]) for name in runs[0]}, writes


def quiet_stall(identity: Identity, charger: Simulator, port: int) -> float:
    """How late the control loop was at most while limits were written, handshake excluded."""
    client = Client(identity, "127.0.0.1", port)
    client.connect()
    charger.command("status")  # forgets the stall of the handshake
    client.commission()
    for number in range(200):
        client.limit(True, 4200 + number % 100)
    stall_us = charger.command("status")["stall_us"]
    client.close()
    return round(stall_us / 1000, 2)


def bare_handshake(identity: Identity, folder: Path) -> float:
    """Median of TCP connect + mutual TLS handshake with a server that does nothing else."""
    certificate = x509.load_pem_x509_certificate(identity.certificate_path.read_bytes())
    key = serialization.load_pem_private_key(identity.key_path.read_bytes(), None)
    der = serialization.Encoding.DER
    (folder / "bare.crt").write_bytes(certificate.public_bytes(der))
    (folder / "bare.key").write_bytes(
        key.private_bytes(
            der,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    port = _free_port()
    script = Path(__file__).parent / "bare_tls.py"
    arguments = [str(port), str(folder / "bare.crt"), str(folder / "bare.key")]
    server = subprocess.Popen(
        [str(micropython_path(64)), str(script), *arguments], stdout=subprocess.PIPE
    )
    try:
        server.stdout.readline()
        return median([_handshake(identity, port) for _ in range(CONNECTIONS)])
    finally:
        server.kill()
        server.wait()


def _handshake(identity: Identity, port: int) -> float:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(identity.certificate_path, identity.key_path)
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        with context.wrap_socket(raw) as stream:
            stream.recv(1)
            took_ms = (time.perf_counter() - begin) * 1000
            stream.sendall(b"!")
    return took_ms


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

"""A bare UDP socket on port 3610 in somebody else's network namespace.

    python raw_driver.py OWN-ADDRESS GROUP [PORT]

Reads lines "ADDRESS HEX" and sends; prints "ADDRESS PORT HEX" for every datagram that comes to the
address, and "ADDRESS PORT group HEX" for those to the group. IPv6 addresses carry their interface.
"""

import socket
import struct
import sys
import threading


def listen(sock: socket.socket, mark: str) -> None:
    while True:
        data, sender = sock.recvfrom(2000)
        print(f"{sender[0]} {sender[1]} {mark}{data.hex().upper()}", flush=True)


def main(own: str, group: str, port: int = 3610) -> None:
    is_four = ":" not in own
    family = socket.AF_INET if is_four else socket.AF_INET6
    unicast, everybody = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
    for sock in (unicast, everybody):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    unicast.bind(socket.getaddrinfo(own, port, family)[0][4])
    everybody.bind(socket.getaddrinfo(group, 3610, family)[0][4])
    if is_four:
        interface = socket.inet_aton(own)
        unicast.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        unicast.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        everybody.setsockopt(
            socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + interface
        )
    else:
        index = socket.if_nametoindex(own.split("%")[1])
        unicast.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        unicast.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        member = socket.inet_pton(family, group.partition("%")[0]) + struct.pack("i", index)
        everybody.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
    threading.Thread(target=listen, args=(unicast, ""), daemon=True).start()
    threading.Thread(target=listen, args=(everybody, "group "), daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        address, data = line.split()
        unicast.sendto(
            bytes.fromhex(data), socket.getaddrinfo(address, 3610, family, socket.SOCK_DGRAM)[0][4]
        )


main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))

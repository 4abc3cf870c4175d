"""Find chargers: browse `_ship._tcp` by multicast DNS, SHIP 7, with the package `zeroconf`.

Only reading: this manager offers no SHIP service of its own, chargers are always dialled.
Records without a usable SKI or with another `txtvers` are left out (SHIP 7.3.2); keys that are
missing or unknown are no error.
"""

import asyncio
import ipaddress
from dataclasses import dataclass

from zeroconf import IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from .identity import normalise_ski

SERVICE = "_ship._tcp.local."
_T_RESOLVE_MS = 3000


@dataclass(frozen=True)
class Found:
    """One SHIP service as announced; text that is not announced is empty."""

    name: str
    host: str
    port: int
    ski: str
    ship_id: str
    path: str
    brand: str
    model: str
    type: str
    register: bool


def parse_service(info: AsyncServiceInfo) -> Found | None:
    """Read a resolved service; None if it is no usable SHIP node."""
    text = {}
    for key, value in info.properties.items():
        name = key.decode(errors="replace").lower()
        text.setdefault(name, (value or b"").decode(errors="replace"))
    try:
        ski = normalise_ski(text.get("ski", ""))
    except ValueError:
        return None
    if text.get("txtvers") != "1" or not info.port:
        return None
    addresses = [ipaddress.ip_address(each) for each in info.addresses_by_version(IPVersion.All)]
    # A link-local IPv6 address is of no use without the number of the interface.
    usable = [each for each in addresses if each.version == 4 or not each.is_link_local]
    return Found(
        name=info.name.removesuffix("." + SERVICE),
        host=str(usable[0]) if usable else (info.server or "").rstrip("."),
        port=info.port,
        ski=ski,
        ship_id=text.get("id", ""),
        path=text.get("path") or "/ship/",
        brand=text.get("brand", ""),
        model=text.get("model", ""),
        type=text.get("type", ""),
        register=text.get("register") == "true",
    )


async def discover(
    timeout_s: float, interface: str | None = None, ski: str | None = None
) -> list[Found]:
    """Return the SHIP nodes seen within the time, sorted by name.

    `interface` is the address of the network interface to use, all of them by default. With `ski`
    the search ends as soon as that node is found.
    """
    options = {"interfaces": [interface]} if interface else {}
    found: dict[str, Found] = {}
    enough = asyncio.Event()
    tasks = set()
    async with AsyncZeroconf(**options) as zeroconf:

        async def resolve(name: str) -> None:
            info = AsyncServiceInfo(SERVICE, name)
            if await info.async_request(zeroconf.zeroconf, _T_RESOLVE_MS):
                node = parse_service(info)
                if node is not None:
                    found[node.ski] = node
                    if node.ski == ski:
                        enough.set()

        def changed(zeroconf, service_type, name, state_change) -> None:
            if state_change is not ServiceStateChange.Removed:
                task = asyncio.ensure_future(resolve(name))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE, handlers=[changed])
        try:
            async with asyncio.timeout(timeout_s):
                await enough.wait()
        except TimeoutError:
            pass
        await browser.async_cancel()
        for task in tasks:
            task.cancel()
    return sorted(found.values(), key=lambda node: (node.name, node.ski))

"""How often wrong tokens may be tried."""

import ipaddress
import time
from collections import OrderedDict

BURST, REFILL_S = 10, 6.0  # so many wrong tokens at once, then one each six seconds
_KEPT = 1024  # addresses; whoever has more of them gains little


class Attempts:
    """Wrong tokens by address, in a table of limited size.

    An address that has used up its tries is refused before its token is looked at, so that a right guess among many
    wrong ones is of no use. An IPv6 network of 64 bits counts as one address: its owner has them all.

    Args:
        burst: wrong tokens at once.
        refill_s: after so many seconds another one is allowed.
    """

    def __init__(self, burst: int = BURST, refill_s: float = REFILL_S) -> None:
        self._burst, self._refill_s = burst, refill_s
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address → tries used, when
        self.wrong = 0  # in all

    def wait_s(self, address: str | None) -> float:
        """Seconds until this address may try again; 0: now."""
        used = self._now(_network(address))
        return max(0.0, (used - self._burst + 1) * self._refill_s)

    def failed(self, address: str | None) -> None:
        """It was wrong."""
        network = _network(address)
        used = self._now(network)
        self.wrong += 1
        self._used[network] = (used + 1, time.monotonic())
        self._used.move_to_end(network)
        if len(self._used) > _KEPT:
            self._used.popitem(last=False)

    def _now(self, network: str) -> float:
        used, when = self._used.get(network, (0.0, 0.0))
        return max(0.0, used - (time.monotonic() - when) / self._refill_s)


def _network(address: str | None) -> str:
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((found, 64), strict=False))
    return str(found)

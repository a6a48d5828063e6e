"""How hot the processor is and whether it is slowed down for it, as far as the kernel tells."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rnnedge_device.errors import InputError

# What a kernel calls the sensor of the processor; others may be of a battery or a disk.
_CPU = ("cpu", "soc", "x86_pkg_temp", "coretemp", "k10temp", "zenpower", "bcm2835")
# Bits of the Raspberry Pi firmware's answer; those from 16 on tell what has been since boot, and are left out.
_FIRMWARE = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
_PLAUSIBLE_C = (-40.0, 150.0)


@dataclass(frozen=True)
class Heat:
    """One reading.

    Args:
        temperature_c: of the processor's hottest sensor; None where there is none.
        throttled: what slows the processor down now, such as `throttled`, `frequency capped`, `under-voltage`; []
            for nothing; None where the kernel does not tell.
    """

    temperature_c: float | None
    throttled: list[str] | None


class Thermal:
    """Reads the kernel's sensors. A reading costs some ten small files; every few seconds is often enough.

    Looked at, where they are there: `class/thermal/thermal_zone*` and `class/hwmon/hwmon*` (temperatures),
    `devices/platform/soc*/soc*:firmware/get_throttled` and the `rpi_volt` sensor (Raspberry Pi), and
    `class/thermal/cooling_device*` of the processor (anything else).

    Args:
        root: the folder that the kernel shows its devices in.

    Example:
        Thermal().read()  # Heat(temperature_c=58.4, throttled=[])
    """

    def __init__(self, root: Path = Path("/sys")) -> None:
        self._root = root

    def read(self) -> Heat:
        """The state now; what cannot be read is left out."""
        temperatures = self._temperatures()
        found = [*self._firmware(), *self._voltage(), *self._cooling()]
        slowed = [word for words in found for word in words]
        return Heat(
            max(temperatures) if temperatures else None, list(dict.fromkeys(slowed)) if found else None
        )

    def _temperatures(self) -> list[float]:
        """Of the processor's sensors; of a board with one unnamed zone alone, such as acpitz, that one."""
        cpu: list[float] = []
        others: list[float] = []
        for folder in sorted(self._root.glob("class/thermal/thermal_zone*")):
            value = _celsius(folder / "temp")
            if value is not None:
                (cpu if _is_cpu(folder / "type") else others).append(value)
        for folder in sorted(self._root.glob("class/hwmon/hwmon*")):
            if _is_cpu(folder / "name"):
                found = map(_celsius, sorted(folder.glob("temp*_input")))
                cpu += [value for value in found if value is not None]
        return cpu or (others if len(others) == 1 else [])

    def _firmware(self) -> Iterator[list[str]]:
        for path in sorted(self._root.glob("devices/platform/soc*/soc*:firmware/get_throttled")):
            with contextlib.suppress(ValueError):
                bits = int(_text(path), 16)
                yield [word for bit, word in _FIRMWARE.items() if bits >> bit & 1]

    def _voltage(self) -> Iterator[list[str]]:
        for folder in sorted(self._root.glob("class/hwmon/hwmon*")):
            if _text(folder / "name") == "rpi_volt":
                alarm = _text(folder / "in0_lcrit_alarm")
                if alarm in ("0", "1"):
                    yield ["under-voltage"] if alarm == "1" else []

    def _cooling(self) -> Iterator[list[str]]:
        for folder in sorted(self._root.glob("class/thermal/cooling_device*")):
            if _text(folder / "type").lower().startswith(("cpufreq", "processor", "thermal-cpufreq")):
                state = _text(folder / "cur_state")
                if state.isdigit():
                    yield ["frequency capped"] if int(state) else []


class HeatWatch:
    """Says when it has become too hot or the processor is slowed down, and when that is over: once each.

    Args:
        limit_c: hot from here on.
        clear_c: not hot any more below; lower than `limit_c`, so that a value that trembles is told once.

    Raises:
        InputError: the second is not below the first.

    Example:
        watch = HeatWatch()
        watch.changed(Heat(85.0, []))  # "85.0 °C"
        watch.changed(Heat(85.1, []))  # None: told already
    """

    def __init__(self, limit_c: float = 80.0, clear_c: float = 75.0) -> None:
        if not clear_c < limit_c:
            raise InputError(f"clear_c = {clear_c!r}: must be below limit_c = {limit_c!r}")
        self._limit_c, self._clear_c = limit_c, clear_c
        self._hot, self._throttled = False, tuple[str, ...]()

    @property
    def hot(self) -> bool:
        """Is it too hot or slowed down, as of the last reading?"""
        return self._hot or bool(self._throttled)

    def changed(self, heat: Heat) -> str | None:
        """What to say about this reading, as the detail of a health line; None for no news."""
        before = self._hot, self._throttled
        if heat.temperature_c is not None:
            limit_c = self._clear_c if self._hot else self._limit_c
            self._hot = heat.temperature_c >= limit_c
        if heat.throttled is not None:
            self._throttled = tuple(heat.throttled)
        if (self._hot, self._throttled) == before:
            return None
        degrees = [] if heat.temperature_c is None else [f"{heat.temperature_c:.1f} °C"]
        return ", ".join(
            [*degrees, *self._throttled] if self.hot else [*degrees, "no longer hot or slowed down"]
        )


def _is_cpu(path: Path) -> bool:
    return _text(path).lower().startswith(_CPU)


def _celsius(path: Path) -> float | None:
    try:
        value = int(_text(path)) / 1000
    except ValueError:
        return None
    return value if _PLAUSIBLE_C[0] <= value <= _PLAUSIBLE_C[1] else None


def _text(path: Path) -> str:
    """A small file's text; "" where it cannot be read: a sensor may be busy, off or gone."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text().strip()
    return ""

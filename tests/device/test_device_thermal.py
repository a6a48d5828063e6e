"""Temperature and throttling, from files as kernels lay them out."""

import pytest

from rnnedge_device.errors import InputError
from rnnedge_device.thermal import Heat, HeatWatch, Thermal


def laid(root, **files):
    """A folder like /sys: names with __ for /."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return Thermal(root)


def pi(root, bits="0", temperature="58400", alarm="0"):
    thermal = laid(
        root,
        class__thermal__thermal_zone0__type="cpu-thermal",
        class__thermal__thermal_zone0__temp=temperature,
        class__hwmon__hwmon0__name="cpu_thermal",
        class__hwmon__hwmon0__temp1_input=temperature,
        class__hwmon__hwmon1__name="rpi_volt",
        class__hwmon__hwmon1__in0_lcrit_alarm=alarm,
    )
    firmware = root / "devices/platform/soc/soc:firmware"
    firmware.mkdir(parents=True, exist_ok=True)
    (firmware / "get_throttled").write_text(bits + "\n")
    return thermal


def test_a_pi_that_is_well(tmp_path):
    assert pi(tmp_path).read() == Heat(58.4, [])


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ("1", ["under-voltage"]),
        ("4", ["throttled"]),
        ("0xe", ["frequency capped", "throttled", "soft temperature limit"]),
        ("50000", []),  # has been since boot, is no more
        ("50005", ["under-voltage", "throttled"]),
    ],
)
def test_what_the_firmware_of_a_pi_says(bits, expected, tmp_path):
    assert pi(tmp_path, bits).read().throttled == expected


def test_under_voltage_is_said_once_though_two_tell_it(tmp_path):
    assert pi(tmp_path, "1", alarm="1").read().throttled == ["under-voltage"]
    assert pi(tmp_path, "nonsense", alarm="1").read().throttled == ["under-voltage"]


def test_a_laptop_has_many_zones_and_the_processors_count(tmp_path):
    thermal = laid(
        tmp_path,
        class__thermal__thermal_zone0__type="acpitz",
        class__thermal__thermal_zone0__temp="99000",
        class__thermal__thermal_zone1__type="x86_pkg_temp",
        class__thermal__thermal_zone1__temp="61000",
        class__hwmon__hwmon3__name="coretemp",
        class__hwmon__hwmon3__temp2_input="64500",
        class__hwmon__hwmon4__name="nvme",
        class__hwmon__hwmon4__temp1_input="70000",
        class__thermal__cooling_device0__type="Processor",
        class__thermal__cooling_device0__cur_state="0",
        class__thermal__cooling_device1__type="Processor",
        class__thermal__cooling_device1__cur_state="3",
        class__thermal__cooling_device2__type="Fan",
        class__thermal__cooling_device2__cur_state="1",
    )
    assert thermal.read() == Heat(64.5, ["frequency capped"])


def test_one_unnamed_zone_is_the_processors_and_two_are_nobodys(tmp_path):
    thermal = laid(
        tmp_path, class__thermal__thermal_zone0__type="acpitz", class__thermal__thermal_zone0__temp="40000"
    )
    assert thermal.read() == Heat(40.0, None)
    laid(tmp_path, class__thermal__thermal_zone1__type="battery", class__thermal__thermal_zone1__temp="30000")
    assert thermal.read() == Heat(None, None)


def test_what_the_kernel_does_not_tell_is_none(tmp_path):
    assert Thermal(tmp_path).read() == Heat(None, None)
    assert Thermal(tmp_path / "nowhere").read() == Heat(None, None)


@pytest.mark.parametrize("text", ["", "hot", "-274000", "1000000", "58.4"])
def test_a_sensor_that_lies_is_left_out(text, tmp_path):
    assert pi(tmp_path, temperature=text).read().temperature_c is None


def test_this_machine_can_be_asked():
    heat = Thermal().read()
    assert heat.temperature_c is None or -40 <= heat.temperature_c <= 150


def test_news_about_heat_are_told_once():
    watch = HeatWatch(80, 75)
    readings = [60, 79.9, 80, 81, 78, 80, 76, 74.9, 79, 60]
    assert [watch.changed(Heat(value, None)) for value in readings] == [
        *(None, None, "80.0 °C", None, None, None, None),
        *("74.9 °C, no longer hot or slowed down", None, None),
    ]


def test_news_about_throttling():
    watch = HeatWatch()
    assert watch.changed(Heat(60.0, [])) is None
    assert watch.changed(Heat(60.0, ["under-voltage"])) == "60.0 °C, under-voltage"
    assert watch.hot
    assert watch.changed(Heat(None, ["under-voltage"])) is None
    assert watch.changed(Heat(None, ["throttled"])) == "throttled"
    assert watch.changed(Heat(None, None)) is None
    assert watch.changed(Heat(61.0, [])) == "61.0 °C, no longer hot or slowed down"
    assert not watch.hot


def test_limits_the_wrong_way_round_are_refused():
    with pytest.raises(InputError, match="must be below"):
        HeatWatch(70, 70)

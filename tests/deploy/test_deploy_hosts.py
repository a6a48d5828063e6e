"""Where devices are: `--to`, the fleet file, and what they say of themselves."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rnnedge.deploy.ssh.connection import DeployError
from rnnedge.deploy.ssh.facts import DeviceFacts
from rnnedge.deploy.ssh.fleet_file import load_fleet
from rnnedge.deploy.ssh.host import Host
from rnnedge_device.errors import InputError

FACTS = """architecture=arm64
machine=aarch64
system=debian bookworm
system_name=Debian GNU/Linux 12 (bookworm)
python=3.11
time={time}
systemd=yes
package=
held=
space /usr=/ 900000000
space /var/cache=/ 900000000
space /var/lib=/data 900000000
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("door", ("door", None, None)),
        ("pi@door.local", ("door.local", "pi", None)),
        ("pi@10.0.0.7:2222", ("10.0.0.7", "pi", 2222)),
        ("pi@[fe80::1%eth0]:22", ("fe80::1%eth0", "pi", 22)),
        ("fe80::1", ("fe80::1", None, None)),
    ],
)
def test_a_host_as_ssh_users_write_it(text: str, found: tuple[str, str | None, int | None]) -> None:
    host = Host.parse(text)
    assert (host.address, host.user, host.port) == found


@pytest.mark.parametrize(
    "text", ["", "pi@", "@door", "-oProxyCommand=x", "pi@-x", "-l@door", "door:99999", "a b", "d;x"]
)
def test_a_host_that_cannot_be_one(text: str) -> None:
    with pytest.raises(InputError):
        Host.parse(text)


def test_fleet_hosts_have_the_defaults_and_their_own(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    (tmp_path / "fleet.toml").write_text(
        'parallel = 2\nretries = 0\n[defaults]\nuser = "pi"\nidentity = "key"\narch = "arm64"\n'
        '[[host]]\naddress = "10.0.0.1"\nname = "door"\n[[host]]\naddress = "10.0.0.2"\nuser = "root"\nport = 2222\n'
        'form = "loop"\n'
    )
    fleet, (door, second) = load_fleet(tmp_path / "fleet.toml")
    assert fleet.parallel == 2
    assert (door.host.title, door.host.user, door.host.identity) == ("door", "pi", tmp_path / "key")
    assert (second.host.title, second.host.user, second.host.port, second.form) == (
        "10.0.0.2",
        "root",
        2222,
        "loop",
    )
    assert (door.architecture, second.architecture, door.retries) == ("arm64", "arm64", 0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "host: is missing"),
        ("host = []", "host = []"),
        ('[[host]]\naddres = "a"', "unknown key 'host.0.addres'; allowed: address, arch, config"),
        ('[[host]]\naddress = "a"\narch = "sparc"', "host.0.arch = 'sparc'"),
        ('paralel = 3\n[[host]]\naddress = "a"', "unknown key 'paralel'; allowed: defaults, host, parallel"),
        ('[[host]]\naddress = "a"\nport = "22"', "host.0.port = '22'"),
        ('[[host]]\naddress = "a"\n[[host]]\naddress = "a"', "two hosts are called 'a'"),
        ('[[host]]\naddress = "-x"', "host '-x': address = '-x'"),
        ('[[host]]\naddress = "a"\nidentity = "gone"', "no such file"),
        ("[[host", "is not TOML"),
    ],
)
def test_a_fleet_file_that_is_wrong_says_where(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "fleet.toml").write_text(text)
    with pytest.raises(InputError) as raised:
        load_fleet(tmp_path / "fleet.toml")
    assert says in str(raised.value)


def test_facts_that_fit() -> None:
    facts = DeviceFacts.parse(FACTS.format(time=int(time.time())))
    assert facts.check("arm64") == []
    facts.check_space(60_000_000, 200_000_000)


@pytest.mark.parametrize(
    ("was", "becomes", "says"),
    [
        ("architecture=arm64", "architecture=i386", "must be one of arm64"),
        ("architecture=arm64", "architecture=", "no dpkg"),
        ("architecture=arm64", "architecture=armhf", "not arm64 as given"),
        ("debian bookworm", "debian trixie", "must be Debian or Raspberry Pi OS 12"),
        ("python=3.11", "python=", "python3 is not installed"),
        ("python=3.11", "python=3.13", "must be Debian or Raspberry Pi OS 12"),
    ],
)
def test_facts_that_do_not_fit(was: str, becomes: str, says: str) -> None:
    facts = DeviceFacts.parse(FACTS.format(time=int(time.time())).replace(was, becomes))
    with pytest.raises(DeployError) as raised:
        facts.check("arm64" if "armhf" in becomes else None)
    assert says in str(raised.value)


def test_a_clock_that_is_wrong_is_a_warning() -> None:
    (warning,) = DeviceFacts.parse(FACTS.format(time=int(time.time()) - 7200)).check()
    assert "behind" in warning


def test_space_is_asked_of_each_file_system() -> None:
    facts = DeviceFacts.parse(FACTS.format(time=int(time.time())))
    with pytest.raises(DeployError, match="MiB free: must be"):
        facts.check_space(60_000_000, 500_000_000)

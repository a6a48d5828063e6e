"""The Debian package: what is in it, that it runs from where it was unpacked, the same bytes again, and bad input."""

from __future__ import annotations

import io
import json
import lzma
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from commands import rnnedge_here

from rnnedge.deploy import build_deb
from rnnedge.deploy.debian.architecture import ARCHITECTURES
from rnnedge.deploy.debian.archive import Entry, deb
from rnnedge.deploy.debian.payload import Runtime, payload
from rnnedge.deploy.debian.trimming import Trimmed
from rnnedge.deploy.debian.wheels import default_cache, digests, fetch
from rnnedge_device.bundle import write_bundle
from rnnedge_device.errors import InputError
from rnnedge_device.files import sha256
from rnnedge_device.form import Form
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.tensors import Tensor

SOURCE = "picamera:640x480@30"
needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not installed")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle, as far as a workstation looks into one: its model is not loaded here."""
    path = tmp_path_factory.mktemp("bundle") / "plain.rnnedge"
    x, y = Tensor("x", (1, 8, 8, 1), "int8", 0.1, 0), Tensor("y", (1, 2), "int8", 0.1, 0)
    form = Form("loop", "model.tflite", "serve", (x,), (y,))
    manifest = Manifest("plain", ("a", "b"), Preprocess((8, 8)), (form,), created="2024-02-03T04:05:06Z")
    write_bundle(path, manifest, {"model.tflite": np.random.default_rng(1).bytes(2000)})
    return path


def wheels_of(arch: str) -> list[Path]:
    try:
        return fetch(ARCHITECTURES[arch])
    except InputError as problem:
        pytest.skip(str(problem))


@pytest.fixture(autouse=True, scope="session")
def quick() -> Iterator[None]:
    """Compressed less, which is most of the time that a package takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rnnedge.deploy.debian.archive._PRESET", 0)
        yield


@pytest.fixture(scope="session")
def package(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole package: armhf's, which is the smallest. Skips where its wheels cannot be had."""
    wheels_of("armhf")
    out = tmp_path_factory.mktemp("armhf") / "plain.deb"
    build_deb(bundle, out, "armhf", source=SOURCE)
    return out


@pytest.fixture(scope="session")
def root(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a package for amd64 puts on a machine, without having been packed."""
    folder = tmp_path_factory.mktemp("root")
    for entry in payload(Runtime(wheels_of("amd64")), bundle.read_bytes(), SOURCE, 0, "1"):
        path = folder / entry.path[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        assert entry.data is not None
        path.write_bytes(entry.data)
    return folder


def members(data: bytes) -> dict[str, bytes]:
    """The members of an `ar`."""
    assert data.startswith(b"!<arch>\n")
    found, place = {}, 8
    while place < len(data):
        header = data[place : place + 60]
        size = int(header[48:58])
        found[header[:16].decode().strip()] = data[place + 60 : place + 60 + size]
        place += 60 + size + size % 2
    return found


def files_of(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(data))) as archive:
        return {info.name: info for info in archive}


def control_of(package: Path) -> dict[str, str]:
    data = lzma.decompress(members(package.read_bytes())["control.tar.xz"])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        text = archive.extractfile("./control").read().decode()  # type: ignore[union-attr]
    return dict(line.partition(": ")[::2] for line in text.splitlines() if not line.startswith(" "))


@needs_dpkg
def test_what_the_package_says_of_itself(package: Path, bundle: Path) -> None:
    fields = control_of(package)
    assert (fields["Package"], fields["Architecture"]) == ("rnnedge", "armhf")
    assert fields["Version"].startswith("0.1.0+20240203.040506.")
    assert {"python3 (>= 3.11)", "python3-numpy", "python3-opencv"} <= set(fields["Depends"].split(", "))
    said = subprocess.run(["dpkg-deb", "--info", package], capture_output=True, text=True, check=True).stdout
    for name in ("conffiles", "md5sums", "postinst", "postrm", "prerm"):
        assert name in said


def test_the_runtime_is_renamed_into_place_before_what_starts_it(package: Path) -> None:
    data = members(package.read_bytes())["data.tar.xz"]
    names = [name for name, info in files_of(data).items() if info.isfile()]
    mark = next(number for number, name in enumerate(names) if name.endswith("/COMPLETE"))
    runtime = [number for number, name in enumerate(names) if "/runtimes/" in name]
    assert mark == max(runtime)
    assert mark < min(names.index(name) for name in ("./usr/bin/rnnedge-run", "./usr/sbin/rnnedge-device"))


def test_all_belongs_to_root_and_nobody_else_can_write(package: Path) -> None:
    for member in ("data.tar.xz", "control.tar.xz"):
        for info in files_of(members(package.read_bytes())[member]).values():
            assert (info.uid, info.gid, info.uname) == (0, 0, "root")
            assert info.issym() or not info.mode & 0o022


def test_it_runs_from_where_it_lies(root: Path, tmp_path: Path) -> None:
    """With Debian's Python of the right version and nothing of this environment."""
    python = next((p for p in ("/usr/bin/python3.11", "/usr/local/bin/python3.11") if Path(p).exists()), None)
    if python is None:
        pytest.skip("there is no Python 3.11 of the system")
    runtime = next((root / "usr/lib/rnnedge/runtimes").iterdir())
    env = {"PYTHONPATH": str(runtime), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    code = (
        "import sys, aiohttp, httpx, paho.mqtt.client, pydantic, prometheus_client, cv2, numpy\n"
        "import cryptography.hazmat.primitives.asymmetric.ed25519\n"
        "import rnnedge_device.cli, rnnedge_device.runner.command, rnnedge_device.web.server\n"
        "from rnnedge_device.interpreter import runtime_version\n"
        "print(runtime_version(), cv2.__file__, numpy.__file__)\n"
    )
    done = subprocess.run([python, "-s", "-P", "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ai-edge-litert ")
    assert done.stdout.count(str(runtime)) == 2
    status = [
        python,
        "-s",
        "-P",
        "-m",
        "rnnedge_device.install",
        "--folder",
        str(tmp_path / "none"),
        "status",
    ]
    found = json.loads(subprocess.run(status, capture_output=True, text=True, env=env, check=True).stdout)
    assert found["ok"]
    assert found["current"] is None
    assert found["rnnedge"] == "0.1.0"


def test_a_launcher_takes_a_whole_runtime_and_no_other(root: Path, tmp_path: Path) -> None:
    """The script itself, with its paths moved to a folder of ours and runtimes that say who they are."""
    text = (root / "usr/bin/rnnedge-run").read_text()
    shipped = next((root / "usr/lib/rnnedge/runtimes").iterdir()).name
    script = tmp_path / "rnnedge-run"
    script.write_text(text.replace("/usr/lib/rnnedge", str(tmp_path)))
    for name in (shipped, "0000older"):
        package = tmp_path / "runtimes" / name / "rnnedge_device"
        package.mkdir(parents=True)
        (package / "__main__.py").write_text(f"import sys; print({name!r}, *sys.argv[1:])")
        (package / "__init__.py").touch()

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(["sh", script, "a b", "c"], capture_output=True, text=True)

    assert run().returncode == 1
    assert "no whole runtime" in run().stderr
    (tmp_path / "runtimes/0000older/COMPLETE").touch()
    assert run().stdout == "0000older a b c\n"
    (tmp_path / "runtimes" / shipped / "COMPLETE").touch()
    assert run().stdout == f"{shipped} a b c\n"


def test_config_and_unit_are_ones_that_we_read(root: Path) -> None:
    from rnnedge_device.runner.config import load_config

    camera = load_config(root / "etc/rnnedge/rnnedge.toml").camera[0]
    assert (camera.source, camera.form) == ("picamera:640x480@30", "auto")
    assert camera.bundle == "/var/lib/rnnedge-bundles/current.rnnedge"
    unit = (root / "lib/systemd/system/rnnedge.service").read_text()
    assert "ExecStart=/usr/bin/rnnedge-run --config /etc/rnnedge/rnnedge.toml\n" in unit
    assert "DynamicUser=yes" in unit


def test_the_scripts_are_shell(package: Path, tmp_path: Path) -> None:
    data = lzma.decompress(members(package.read_bytes())["control.tar.xz"])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for name in ("postinst", "prerm", "postrm"):
            script = tmp_path / name
            script.write_bytes(archive.extractfile(f"./{name}").read())  # type: ignore[union-attr]
            assert b"@" not in script.read_bytes().replace(b'"$@"', b"")
            subprocess.run(["sh", "-n", script], check=True)


def test_the_same_inputs_give_the_same_bytes(package: Path, bundle: Path, tmp_path: Path) -> None:
    again = build_deb(bundle, tmp_path / "again.deb", "armhf", source=SOURCE)
    assert (tmp_path / "again.deb").read_bytes() == package.read_bytes()
    assert again.sha256 == sha256(package.read_bytes())


def test_the_order_of_folders_and_the_clock_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [Entry("/b/a", b"1", 0o755), Entry("/b/link", None, target="a"), Entry("/a", b"2")]
    control = {"control": (b"Package: x\n", 0o644)}
    first = deb(control, entries, 1000)
    monkeypatch.setattr("time.time", lambda: 5.0)
    assert deb(control, entries, 1000) == first
    assert list(files_of(members(first)["data.tar.xz"])) == [".", "./b", "./b/a", "./b/link", "./a"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--arch", "mips"), "--arch = 'mips': must be one of arm64, amd64, armhf"),
        (("--source", 'a"b'), "--source = 'a\"b': must not"),
        (("--deb", "x.zip"), "--deb = 'x.zip': must end in .deb"),
    ],
)
def test_bad_words_are_one_message(bundle: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = rnnedge_here("deploy", bundle, "--deb", tmp_path / "x.deb", *words, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_bad_bundle_leaves_an_older_package_alone(tmp_path: Path) -> None:
    (tmp_path / "bad.rnnedge").write_bytes(b"no bundle")
    (tmp_path / "x.deb").write_bytes(b"older")
    done = rnnedge_here("deploy", tmp_path / "bad.rnnedge", "--deb", tmp_path / "x.deb", check=False)
    assert done.returncode == 2
    assert "damaged or not a bundle" in done.stderr
    assert (tmp_path / "x.deb").read_bytes() == b"older"


def test_a_damaged_cache_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = ARCHITECTURES["armhf"]
    whole = wheels_of("armhf")[0].parent
    copy = tmp_path / whole.name
    copy.mkdir()
    for wheel in whole.iterdir():
        os.symlink(wheel, copy / wheel.name)
    known = digests(fetch(target, tmp_path))
    assert known == json.loads((whole / "sha256.json").read_text())
    victim = next(path for path in copy.glob("click*.whl"))
    victim.unlink()
    victim.write_bytes(b"something else")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(InputError, match="cannot be downloaded"):
        fetch(target, tmp_path)
    assert default_cache() in whole.parents


def test_what_a_device_needs_is_kept() -> None:
    trimmed = Trimmed()
    for path in (
        "ai_edge_litert/libpywrap_litert_common.so",
        "ai_edge_litert/interpreter.py",
        "numpy/lib/npyio.py",
        "click-8.5.1.dist-info/METADATA",
        "click-8.5.1.dist-info/licenses/LICENSE.txt",
        "cv2/cv2.abi3.so",
    ):
        assert trimmed.keeps(path, 10)
    for path in (
        "ai_edge_litert/libLiteRtWebGpuAccelerator.so",
        "numpy/core/tests/test_api.py",
        "cv2/data/haarcascade_eye.xml",
        "click-8.5.1.dist-info/RECORD",
    ):
        assert not trimmed.keeps(path, 10)
    assert sum(trimmed.bytes.values()) == 40

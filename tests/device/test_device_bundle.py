"""Bundles: what is written comes back byte by byte; anything else is one BundleError and exit code 2."""

import hashlib
import io
import json
import struct
import zipfile

import numpy as np
import pytest

from rnnedge_device.bundle import read_bundle, write_bundle
from rnnedge_device.errors import BundleError
from rnnedge_device.golden import Golden


def contents(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path, members, compression=zipfile.ZIP_STORED):
    """A ZIP of (name, bytes) pairs as given, without any of the checks of the real writer."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=compression)


def with_manifest(members, change):
    """The members with `change(manifest)` applied to the parsed manifest."""
    manifest = json.loads(members["manifest.json"])
    change(manifest)
    return {**members, "manifest.json": json.dumps(manifest).encode()}


def listed(members, name, data):
    """The members and one more, properly listed."""
    entry = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return {**with_manifest(members, lambda manifest: manifest["files"].update({name: entry})), name: data}


def test_a_bundle_comes_back_as_it_was_written(tiny, bundle_path, golden):
    bundle = read_bundle(bundle_path)
    assert dict(bundle.members) == {**tiny.members(), "golden.npz": golden}
    assert bundle.manifest.forms == tiny.manifest().forms
    assert bundle.manifest.labels == tiny.manifest().labels
    assert bundle.model("step") == tiny.models["step"]
    assert set(bundle.manifest.files) == set(bundle.members)


def test_equal_contents_are_equal_bytes(tiny, tmp_path):
    members = tiny.members()
    write_bundle(tmp_path / "a", tiny.manifest(), members)
    write_bundle(tmp_path / "b", tiny.manifest(), dict(reversed(members.items())))
    again = read_bundle(tmp_path / "a")
    write_bundle(tmp_path / "c", again.manifest, again.members)
    first = (tmp_path / "a").read_bytes()
    assert first == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_it_is_a_plain_stored_zip(bundle_path):
    with zipfile.ZipFile(bundle_path) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "manifest.json"
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_what_cannot_be_written_leaves_the_old_bundle(tiny, tmp_path):
    path = tmp_path / "old.rnnedge"
    path.write_bytes(b"old")
    cases = [
        (tiny.manifest("loop"), {}, "not a member"),
        (tiny.manifest("loop"), {**tiny.members("loop"), "../x": b""}, "plain file name"),
        (tiny.manifest("loop"), {**tiny.members("loop"), "manifest.json": b"{}"}, "plain file name"),
        (tiny.manifest("loop", metrics={"loss": float("nan")}), tiny.members("loop"), "JSON cannot hold"),
        (tiny.manifest("loop", metrics={"x": np.float32(1)}), tiny.members("loop"), "JSON cannot hold"),
    ]
    for manifest, members, message in cases:
        with pytest.raises(BundleError, match=message):
            write_bundle(path, manifest, members)
    assert [item.name for item in tmp_path.iterdir()] == ["old.rnnedge"]
    assert path.read_bytes() == b"old"


def test_cut_short_anywhere_is_refused(bundle_path, tmp_path):
    whole = bundle_path.read_bytes()
    path = tmp_path / "cut.rnnedge"
    places = {0, 1, 4, 30, *range(64, len(whole), 577), len(whole) - 22, len(whole) - 1}
    for place in sorted(places):
        path.write_bytes(whole[:place])
        with pytest.raises(BundleError, match=r"cut\.rnnedge"):
            read_bundle(path)
    assert len(places) > 60


def test_a_changed_byte_is_refused_or_changes_nothing(bundle_path, tmp_path):
    """Some bytes of a ZIP mean nothing (dates, rights); every other change must be noticed."""
    whole, path = bundle_path.read_bytes(), tmp_path / "bent.rnnedge"
    before = read_bundle(bundle_path)
    rng = np.random.default_rng(3)
    # The directory at the end is where a change does the most harm.
    places = [*rng.integers(0, len(whole), 400), *range(len(whole) - 400, len(whole))]
    refused = 0
    for place in places:
        bent = bytearray(whole)
        bent[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bent)
        try:
            after = read_bundle(path)
        except BundleError:
            refused += 1
        else:
            assert after.members == before.members
    assert refused > 500


def bad_digest(members):
    return {**members, "model.tflite": members["model.tflite"][:-1] + b"\x55"}.items()


def bad_declared_digest(members):
    return with_manifest(members, lambda m: m["files"]["golden.npz"].update(sha256="0" * 64)).items()


def bad_declared_size(members):
    return with_manifest(members, lambda m: m["files"]["golden.npz"].update(size=7)).items()


def newer(members):
    return with_manifest(members, lambda m: m.update(format_version=2, sound="new")).items()


def outside(members):
    return listed(members, "../../escape.tflite", b"x").items()


def absolute(members):
    return listed(members, "/tmp/escape.tflite", b"x").items()


def drive(members):
    return listed(members, "C:\\escape.tflite", b"x").items()


def folder(members):
    return listed(members, "sub/model.tflite", b"x").items()


def unlisted(members):
    return {**members, "extra.bin": b"x"}.items()


def missing(members):
    return [(name, data) for name, data in members.items() if name != "model.step.tflite"]


def twice(members):
    return [*members.items(), ("model.tflite", members["model.tflite"])]


def form_without_file(members):
    return with_manifest(members, lambda m: m["forms"][0].update(file="golden2.npz")).items()


def no_manifest(members):
    return [(name, data) for name, data in members.items() if name != "manifest.json"]


def not_json(members):
    return {**members, "manifest.json": b"{"}.items()


def not_text(members):
    return {**members, "manifest.json": b"\xff\xfe\x00"}.items()


def deep_json(members):
    return {**members, "manifest.json": b"[" * 200_000}.items()


def key_twice(members):
    text = members["manifest.json"].replace(b'{\n "format_version"', b'{"name": "a", "format_version"', 1)
    return {**members, "manifest.json": text}.items()


def nan_json(members):
    return {**members, "manifest.json": members["manifest.json"].replace(b"12.5", b"NaN", 1)}.items()


def no_text(members):
    return with_manifest(members, lambda m: m["labels"].__setitem__(0, "\ud800")).items()


def beyond_floats(members):
    return with_manifest(members, lambda m: m["preprocess"].update(scale=10**400)).items()


def endless_name(members):
    return with_manifest(members, lambda m: m["forms"][1]["states"][0].update(input="x" * 100_000)).items()


BAD = {
    bad_digest: "SHA-256 differs",
    bad_declared_digest: "SHA-256 differs",
    bad_declared_size: "declares 7",
    newer: "newer rnnedge.*update",
    outside: "plain file name",
    absolute: "plain file name",
    drive: "plain file name",
    folder: "plain file name",
    unlisted: "not listed",
    missing: "not a member",
    twice: "there twice",
    form_without_file: "golden2.npz",
    no_manifest: "manifest.json is missing",
    not_json: "not JSON",
    not_text: "not JSON",
    deep_json: "not JSON",
    key_twice: "a key is there twice",
    nan_json: "NaN",
    no_text: "not JSON: .*surrogates",
    beyond_floats: "scale = 1000.*must be a number",
    endless_name: r"xxx\.\.\.$",
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_a_bad_bundle_is_one_clear_error(make, bundle_path, tmp_path, run_cli):
    path = tmp_path / "bad.rnnedge"
    pack(path, make(contents(bundle_path)))
    with pytest.raises(BundleError, match=BAD[make]) as caught:
        read_bundle(path)
    assert str(path) in str(caught.value)
    code, out, err = run_cli(path, "--source", "synthetic:8x8x1")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.glob("**/escape*"))


def test_the_packer_of_these_tests_makes_good_bundles_too(bundle_path, tmp_path):
    pack(tmp_path / "good.rnnedge", contents(bundle_path).items())
    assert read_bundle(tmp_path / "good.rnnedge").members == read_bundle(bundle_path).members


def test_a_compressed_member_is_refused(bundle_path, tmp_path, run_cli):
    pack(tmp_path / "deflated.rnnedge", contents(bundle_path).items(), zipfile.ZIP_DEFLATED)
    code, _, err = run_cli(tmp_path / "deflated.rnnedge", "--selftest")
    assert code == 2
    assert "must be stored" in err


def patched_sizes(whole, name, size):
    """The size of a member changed in the ZIP's own directory, in both places and both fields."""
    data = bytearray(whole)
    for mark, name_at, sizes_at in ((b"PK\x01\x02", 46, 20), (b"PK\x03\x04", 30, 18)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            if data[at + name_at : at + name_at + len(name)] == name:
                struct.pack_into("<II", data, at + sizes_at, size, size)
    return bytes(data)


@pytest.mark.parametrize("size", [0, 10, 2**31])
def test_a_size_that_lies_is_refused_before_reading(size, bundle_path, tmp_path, run_cli):
    path = tmp_path / "lies.rnnedge"
    path.write_bytes(patched_sizes(bundle_path.read_bytes(), b"model.tflite", size))
    with pytest.raises(BundleError, match=r"declare|size"):
        read_bundle(path)
    assert run_cli(path, "--selftest")[0] == 2


def test_an_encrypted_member_is_refused(bundle_path, tmp_path):
    data = bytearray(bundle_path.read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "secret.rnnedge").write_bytes(data)
    with pytest.raises(BundleError, match="encrypted"):
        read_bundle(tmp_path / "secret.rnnedge")


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "empty"])
def test_what_is_no_bundle_at_all_is_refused(kind, tmp_path, run_cli):
    path = tmp_path / "thing.rnnedge"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_text("hello, world" * 100 if kind == "text" else "")
    code, _, err = run_cli(path, "--selftest")
    assert code == 2
    assert str(path) in err


def pickled():
    buffer = io.BytesIO()
    np.savez(buffer, images=np.array([{"a": 1}], dtype=object), y_loop=np.zeros((1, 10), np.int8))
    return buffer.getvalue()


def compressed():
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=np.zeros((1, 8, 8), np.uint8), y_loop=np.zeros((1, 10), np.int8))
    return buffer.getvalue()


def plain(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def too_large_header():
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 10**6, 10**6)}
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("images.npy", header.getvalue())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pickled(), "pickle"),
        (compressed(), "stored"),
        (too_large_header(), "does not fit its size"),
        (b"not a zip", "damaged"),
        (b"", "damaged"),
        (plain(y_loop=np.zeros((1, 10), np.int8)), "images"),
        (plain(images=np.zeros((2, 8, 8), np.float32)), "must be uint8"),
        (plain(images=np.zeros((2, 8, 8), np.uint8), y_loop=np.zeros((3, 10), np.int8)), "y_loop"),
        (plain(images=np.zeros((2, 8, 8), np.uint8), y_loop=np.zeros((2, 4), np.int8)), "y_loop"),
        (plain(images=np.zeros((2, 8, 8), np.uint8), y_loop=np.zeros((2, 10), np.float32)), "y_loop"),
        (plain(images=np.zeros((2, 8, 8), np.uint8), y_unrolled=np.zeros((2, 10), np.int8)), "no outputs"),
    ],
)
def test_golden_inputs_that_cannot_be_trusted_are_refused(data, message, tiny, tmp_path, run_cli):
    path = tmp_path / "golden.rnnedge"
    write_bundle(path, tiny.manifest("loop"), {**tiny.members("loop"), "golden.npz": data})
    code, out, err = run_cli(path, "--selftest")
    assert (code, out) == (2, "")
    assert message in err


def test_a_bundle_without_golden_inputs_has_no_self_test(tiny, tmp_path, run_cli):
    path = tmp_path / "plain.rnnedge"
    write_bundle(path, tiny.manifest("loop"), tiny.members("loop"))
    code, _, err = run_cli(path, "--selftest")
    assert code == 2
    assert "no golden.npz" in err


def test_golden_inputs_come_back(golden):
    read = Golden.from_bytes(golden)
    assert read.images.shape == (6, 8, 8)
    assert {name: y.dtype.name for name, y in read.outputs.items()} == {
        "loop": "int8",
        "step": "int8",
        "fused": "float32",
    }
    assert read.to_bytes() == golden
    # Any NumPy can read it, without pickles.
    assert (np.load(io.BytesIO(golden), allow_pickle=False)["y_loop"] == read.outputs["loop"]).all()


def test_a_model_no_runtime_can_load_is_a_bundle_error(tiny, tmp_path, run_cli):
    data = tiny.models["loop"]
    for index, broken in enumerate((b"TFL3" * 100, data[: len(data) // 2], b"\0" * 64)):
        form = tiny.form("loop", size_bytes=len(broken))
        path = tmp_path / f"broken{index}.rnnedge"
        write_bundle(path, tiny.manifest(forms=(form,)), {"model.tflite": broken})
        code, _, err = run_cli(path, "--source", "synthetic:8x8x1")
        assert code == 2
        assert "cannot load the model" in err

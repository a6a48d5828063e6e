"""Signatures: a bundle is as its owner signed it, or it is one clear error and nothing in it was parsed."""

import json
import os
import stat
import subprocess
import sys

import pytest
from click.testing import CliRunner
from test_device_bundle import contents, listed, pack, with_manifest

from rnnedge.cli import main as rnnedge
from rnnedge_device.bundle import read_bundle, sign_bundle, write_bundle
from rnnedge_device.errors import BundleError, InputError, SignatureError
from rnnedge_device.signature import PrivateKey, PublicKey


@pytest.fixture
def key(tmp_path):
    return PrivateKey.new(tmp_path / "own.key")


@pytest.fixture
def signed(bundle_path, key, tmp_path):
    path = tmp_path / "signed.rnnedge"
    path.write_bytes(bundle_path.read_bytes())
    sign_bundle(path, key)
    return path


def sign(*arguments):
    return CliRunner().invoke(rnnedge, ["sign", *map(str, arguments)])


def test_a_signed_bundle_is_the_same_bundle(signed, key, bundle_path):
    before, after = contents(bundle_path), contents(signed)
    assert list(after)[:2] == ["manifest.json", "manifest.sig"]
    assert {name: data for name, data in after.items() if name != "manifest.sig"} == before
    bundle = read_bundle(signed, key.public)
    assert bundle.members == read_bundle(bundle_path).members
    assert bundle.signature.key_id == key.public.id
    assert bundle.signature.holds()
    assert len(bundle.sha256) == 64


def test_whoever_asks_for_no_signature_reads_it_as_well(signed, run_cli):
    assert run_cli(signed, "--selftest")[0] == 0


def test_signing_twice_gives_equal_bytes(signed, key):
    before = signed.read_bytes()
    sign_bundle(signed, key)
    assert signed.read_bytes() == before


def test_another_key_takes_the_signature_over(signed, key, tmp_path):
    other = PrivateKey.new(tmp_path / "other.key")
    sign_bundle(signed, other)
    read_bundle(signed, other.public)
    with pytest.raises(
        SignatureError, match=f"key {other.public.id}: must be signed with the key {key.public.id}"
    ):
        read_bundle(signed, key.public)


def test_a_bundle_that_is_written_again_is_not_signed(signed, key, tmp_path):
    bundle = read_bundle(signed)
    write_bundle(signed, bundle.manifest, bundle.members)
    with pytest.raises(SignatureError, match="not signed"):
        read_bundle(signed, key.public)


def unsigned(members, other):
    return {name: data for name, data in members.items() if name != "manifest.sig"}


def other_labels(members, other):
    return with_manifest(members, lambda manifest: manifest["labels"].reverse())


def other_model(members, other):
    bent = bytearray(members["model.tflite"])
    bent[-1] ^= 1
    return listed({**members, "model.tflite": bytes(bent)}, "model.tflite", bytes(bent))


def not_even_json(members, other):
    """What a parser would choke on never reaches one."""
    return {**members, "manifest.json": b"[" * 100_000}


def another_key(members, other):
    return {**members, "manifest.sig": other.sign(members["manifest.json"]).to_bytes()}


def stolen_name(members, other):
    """The trusted key's name over another key's signature."""
    false = other.sign(members["manifest.json"]).to_bytes()
    return {**members, "manifest.sig": members["manifest.sig"][:32] + false[32:]}


def zeros(members, other):
    return {**members, "manifest.sig": bytes(96)}


def short(members, other):
    return {**members, "manifest.sig": members["manifest.sig"][:-1]}


def empty(members, other):
    return {**members, "manifest.sig": b""}


FALSE = {
    unsigned: "not signed: must be signed with the key",
    other_labels: "changed after it was signed",
    other_model: "changed after it was signed",
    not_even_json: "changed after it was signed",
    another_key: "must be signed with the key",
    stolen_name: "forged",
    zeros: "must be signed with the key",
    short: "95 bytes: must be 96",
    empty: "0 bytes: must be 96",
}


@pytest.mark.parametrize("make", FALSE, ids=lambda make: make.__name__)
def test_all_but_the_owners_signature_is_one_clear_error(make, signed, tmp_path, run_cli):
    other = PrivateKey.new(tmp_path / "other.key")
    path = tmp_path / "false.rnnedge"
    pack(path, make(contents(signed), other).items())
    code, out, err = run_cli(path, "--selftest", "--require-signature", tmp_path / "own.key.pub")
    assert (code, out) == (2, "")
    assert FALSE[make] in err
    assert len(err.splitlines()) == 1
    assert str(path) in err


def test_a_changed_member_is_noticed_though_the_signature_holds(signed, key, tmp_path):
    members = contents(signed)
    pack(tmp_path / "bent.rnnedge", {**members, "golden.npz": b"x" * len(members["golden.npz"])}.items())
    with pytest.raises(BundleError, match="SHA-256 differs"):
        read_bundle(tmp_path / "bent.rnnedge", key.public)


def test_the_manifest_cannot_list_its_own_signature(bundle_path, tmp_path):
    pack(tmp_path / "odd.rnnedge", listed(contents(bundle_path), "manifest.sig", bytes(96)).items())
    with pytest.raises(BundleError, match=r"lists 'manifest\.sig'"):
        read_bundle(tmp_path / "odd.rnnedge")


def test_the_command_makes_a_key_and_signs(bundle_path, tmp_path, run_cli):
    path, key = tmp_path / "own.rnnedge", tmp_path / "factory.key"
    path.write_bytes(bundle_path.read_bytes())
    path.chmod(0o640)
    assert sign("--new-key", key).exit_code == 0
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    done = sign(path, "--key", key, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == {"key": PublicKey.read(f"{key}.pub").id, "bundle": str(path)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(item.name for item in tmp_path.iterdir()) == [
        "factory.key",
        "factory.key.pub",
        "own.rnnedge",
    ]
    assert run_cli(path, "--selftest", "--require-signature", f"{key}.pub")[0] == 0


def test_a_key_is_never_overwritten(bundle_path, tmp_path):
    key = tmp_path / "factory.key"
    assert sign("--new-key", key).exit_code == 0
    before = key.read_bytes(), (tmp_path / "factory.key.pub").read_bytes()
    again = sign("--new-key", key)
    assert (again.exit_code, "is there already" in again.output) == (2, True)
    key.unlink()
    half = sign("--new-key", key)
    assert half.exit_code == 2
    assert not key.exists()
    assert (tmp_path / "factory.key.pub").read_bytes() == before[1]


def test_what_is_no_good_bundle_is_not_signed(tmp_path, key):
    path = tmp_path / "text.rnnedge"
    path.write_text("hello")
    done = sign(path, "--key", tmp_path / "own.key")
    assert (done.exit_code, "not a bundle" in done.output) == (2, True)
    assert path.read_text() == "hello"


def test_keys_that_are_none(bundle_path, tmp_path, key):
    (tmp_path / "text.pub").write_text("hello")
    openssl = "openssl genpkey -algorithm ed25519 -aes256 -pass pass:x -out locked.key"
    subprocess.run(openssl.split(), cwd=tmp_path, check=True, capture_output=True)
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "x25519", "-out", "other.key"], cwd=tmp_path, check=True
    )
    (tmp_path / "open.key").write_bytes((tmp_path / "own.key").read_bytes())
    (tmp_path / "open.key").chmod(0o644)
    for name in ("locked.key", "other.key", "text.pub"):
        (tmp_path / name).chmod(0o600)
    cases = [
        (PublicKey, "none.pub", "No such file"),
        (PublicKey, "text.pub", "must be a public Ed25519 key"),
        (PublicKey, "own.key", "give the public one"),
        (PrivateKey, "own.key.pub", "others can read it"),
        (PrivateKey, "open.key", "chmod 600"),
        (PrivateKey, "locked.key", "passphrase"),
        (PrivateKey, "other.key", "must be a private Ed25519 key"),
        (PrivateKey, "text.pub", "must be a private Ed25519 key"),
    ]
    for kind, name, message in cases:
        with pytest.raises(InputError, match=message) as caught:
            kind.read(tmp_path / name)
        assert name in str(caught.value)


def test_openssl_agrees(signed, key, tmp_path):
    """Keys and signature are the standard's: openssl checks them without any code of ours."""
    members = contents(signed)
    (tmp_path / "message").write_bytes(b"rnnedge bundle manifest 1\n" + members["manifest.json"])
    (tmp_path / "signature").write_bytes(members["manifest.sig"][32:])
    check = "openssl pkeyutl -verify -pubin -inkey own.key.pub -rawin -in message -sigfile signature"
    done = subprocess.run(check.split(), cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, "Verified Successfully" in done.stdout) == (0, True), done.stderr


def test_inspect_tells_who_signed(signed, key, tmp_path):
    shown = CliRunner().invoke(rnnedge, ["inspect", str(signed)])
    assert f"signature   by the key {key.public.id}: holds" in shown.output
    pack(tmp_path / "bent.rnnedge", with_manifest(contents(signed), lambda m: m.update(name="x")).items())
    facts = CliRunner().invoke(rnnedge, ["inspect", str(tmp_path / "bent.rnnedge"), "--json"]).output
    assert json.loads(facts)["signature"] == {"key": key.public.id, "holds": False}


def test_without_the_package_it_is_one_error_that_names_the_extra(signed, tmp_path):
    """Run in a process that cannot import `cryptography`; a bundle that needs no check still runs."""
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from rnnedge_device.cli import main; main(sys.argv[1:])"
    )
    for arguments, expected in (
        (["--selftest", "--require-signature", str(tmp_path / "own.key.pub")], 2),
        (["--selftest"], 0),
    ):
        command = [sys.executable, "-c", code, str(signed), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
        assert done.returncode == expected, done.stderr
        if expected:
            assert done.stderr.splitlines() == [
                "rnnedge-run: signatures need the package cryptography: pip install 'rnnedge[runner]'"
            ]

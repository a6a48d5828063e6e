"""rnnedge deploy --web and --apk: what is written, what is refused, what is lost (nothing)."""

import json

import pytest
from click.testing import CliRunner

from rnnedge.cli import main
from rnnedge.deploy.phone import adb, built
from rnnedge.deploy.phone.apk import AppFacts, app_id
from rnnedge.deploy.phone.keystore import Keystore, read_password
from rnnedge.deploy.phone.site import write_site
from rnnedge_device.errors import InputError

SITE = {"index.html": b"<p>page", "sw.js": b"// worker\n", "assets/page-1.js": b"1"}


@pytest.fixture(autouse=True)
def _site(monkeypatch):
    """A small page in the place of the built one, so that these tests need no Node."""
    monkeypatch.setattr("rnnedge.deploy.phone.site.built_site", lambda: dict(SITE))


def deploy(*arguments):
    return CliRunner().invoke(main, ["deploy", *map(str, arguments)])


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_site_has_the_page_the_bundle_and_a_worker_that_lists_them(bundle_path, tmp_path):
    done = deploy(bundle_path, "--web", tmp_path / "site", "--json")
    assert done.exit_code == 0, done.output
    files = contents(tmp_path / "site")
    assert files["bundle.rnnedge"] == bundle_path.read_bytes()
    head, _, rest = files["sw.js"].partition(b"\n")
    listed = json.loads(head.removeprefix(b"const SITE = ").removesuffix(b";"))
    assert rest == SITE["sw.js"]
    assert set(listed["files"]) == set(files) - {"sw.js"}
    facts = json.loads(files["site.json"])
    assert facts["version"] == listed["version"] == json.loads(done.output)["web"]["version"]


def test_a_site_is_replaced_and_its_version_tells_bundles_apart(bundle_path, tmp_path):
    site = tmp_path / "site"
    first = write_site(bundle_path, site)
    (site / "left-over.js").write_text("old")
    again = write_site(bundle_path, site)
    assert first == again == contents(site)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda path: path.write_text("x"), "it is a file"),
        (lambda path: (path.mkdir(), (path / "thesis.txt").write_text("x")), "has other files in it"),
    ],
)
def test_what_is_no_site_is_left_alone(prepare, words, bundle_path, tmp_path):
    prepare(tmp_path / "site")
    before = sorted(tmp_path.rglob("*"))
    done = deploy(bundle_path, "--web", tmp_path / "site")
    assert done.exit_code == 2
    assert words in done.output
    assert sorted(tmp_path.rglob("*")) == before


def test_a_bad_bundle_leaves_the_site_as_it_was(bundle_path, tmp_path):
    site = tmp_path / "site"
    before = write_site(bundle_path, site)
    (tmp_path / "bad.rnnedge").write_bytes(bundle_path.read_bytes()[:-100])
    done = deploy(tmp_path / "bad.rnnedge", "--web", site)
    assert done.exit_code == 2
    assert contents(site) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say where to"),
        (["--web", "a", "--deb", "b.deb"], "say where to"),
        (["--web", "a", "--install"], "--install goes with --apk"),
        (["--apk", "a.apk", "--keystore-password", "env:X"], "go with --keystore"),
        (["--apk", "a.apk", "--app-id", "Door"], "--app-id 'Door'"),
        (["--apk", "a.apk", "--app-version", "0"], "--app-version 0"),
        (["--apk", "a.apk", "--app-name", "\n"], "--app-name"),
    ],
)
def test_bad_options_are_one_message(arguments, words, bundle_path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = deploy(bundle_path, *arguments)
    assert done.exit_code == 2
    assert words in done.output
    assert list(tmp_path.iterdir()) == []


def test_missing_tools_are_named_with_their_packages(bundle_path, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = deploy(bundle_path, "--apk", tmp_path / "a.apk")
    assert done.exit_code == 2
    assert "apt install" in done.output
    assert {"aapt", "apksigner", "zipalign"} <= set(done.output.split())


def test_a_checkout_that_was_not_built_says_how(monkeypatch, tmp_path):
    monkeypatch.setattr("rnnedge.deploy.phone.built.resources.files", lambda package: tmp_path)
    with pytest.raises(InputError, match="make web"):
        built.built_site()
    with pytest.raises(InputError, match="make android"):
        built.built_app()


def test_a_password_comes_from_a_variable_or_a_file_and_is_not_repeated(tmp_path, monkeypatch):
    monkeypatch.setenv("STORE", "s3cret")
    (tmp_path / "word").write_text("s3cret\nmore")
    assert read_password("env:STORE") == read_password(f"file:{tmp_path / 'word'}") == "s3cret"
    with pytest.raises(InputError) as caught:
        read_password("pass:s3cret")
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(Keystore(tmp_path / "word", "s3cret"))
    with pytest.raises(InputError, match="not set"):
        read_password("env:NOT_THERE_AT_ALL")


def test_an_id_comes_from_the_bundles_name():
    assert app_id("Front door-2") == "org.rnnedge.app.front_door_2"
    assert app_id("9") == "org.rnnedge.app.b9"
    assert AppFacts("x", app_id("门"), 1, "0").id == "org.rnnedge.app.bundle"


@pytest.fixture
def adb_says(tmp_path, monkeypatch):
    """A program `adb` that lists devices as it is told to."""

    def say(text):
        program = tmp_path / "adb"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}END\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.delenv("ANDROID_SERIAL", raising=False)

    return say


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ("List of devices attached\n\n", "none is connected"),
        ("List of devices attached\nA1\tunauthorized\n", "A1 is unauthorized"),
        ("List of devices attached\nA1\tdevice\nB2\tdevice\n", "2 devices"),
    ],
)
def test_a_phone_that_cannot_be_used_says_why(says, words, adb_says):
    adb_says(says)
    with pytest.raises(InputError, match=words):
        adb.the_phone()


def test_of_several_phones_the_named_one_is_used(adb_says, monkeypatch):
    adb_says("List of devices attached\nA1\tdevice\nB2\tdevice\n")
    monkeypatch.setenv("ANDROID_SERIAL", "B2")
    assert adb.the_phone() == "B2"
    monkeypatch.setenv("ANDROID_SERIAL", "C3")
    with pytest.raises(InputError, match="'C3': adb sees A1, B2"):
        adb.the_phone()

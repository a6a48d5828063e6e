"""`rnnedge-device`: bundles on a device, tried first, the one before kept; and the form it chose, remembered."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from rnnedge_device.bundle import read_bundle, sign_bundle, write_bundle
from rnnedge_device.choice import chosen_form, note_of, recall, remember
from rnnedge_device.errors import BundleError, InputError
from rnnedge_device.golden import Golden
from rnnedge_device.install import BundleStore, install, roll_back, status
from rnnedge_device.install.__main__ import main
from rnnedge_device.models import form_of, open_model
from rnnedge_device.signature import PrivateKey


@pytest.fixture
def store(tmp_path):
    return BundleStore(tmp_path / "bundles")


@pytest.fixture(scope="module")
def make(tiny, golden, tmp_path_factory):
    """Bundles of the forms loop and step by name; `spoil` says which forms' self-test fails."""
    right = Golden.from_bytes(golden)

    def bundle(name, spoil=(), forms=("loop", "step")):
        outputs = {form: np.array(right.outputs[form]) for form in forms}
        for form in spoil:
            outputs[form] = outputs[form] ^ np.int8(64)
        path = tmp_path_factory.mktemp("made") / f"{name}.rnnedge"
        members = {**tiny.members(*forms), "golden.npz": Golden(right.images, outputs).to_bytes()}
        write_bundle(path, tiny.manifest(*forms, name=name), members)
        return path

    return bundle


@pytest.fixture(scope="module")
def one(make):
    return make("one")


@pytest.fixture(scope="module")
def two(make):
    return make("two", forms=("loop",))


def names(store):
    return sorted(path.name for path in store.folder.iterdir())


def test_a_bundle_is_tried_copied_and_made_current(store, one):
    found = install(one, store)
    assert found["changed"]
    assert found["previous"] is None
    assert set(found["forms"]) == {"loop", "step"}
    assert found["form"] == min(found["forms"], key=lambda form: found["forms"][form]["median_us"])
    current = store.folder / "current.rnnedge"
    assert current.read_bytes() == one.read_bytes()
    assert os.readlink(current) == f"{read_bundle(one).sha256[:16]}.rnnedge"
    assert (store.folder.stat().st_mode & 0o777, store.current.stat().st_mode & 0o777) == (0o755, 0o644)


def test_the_one_before_is_kept_and_no_more(store, one, two, make):
    for path in (one, two):
        install(path, store)
    assert (status(store)["current"]["name"], status(store)["previous"]["name"]) == ("two", "one")
    assert roll_back(store)["bundle"]["name"] == "one"
    assert status(store)["previous"]["name"] == "two"
    found = install(make("three", forms=("loop",)), store)
    assert found["previous"]["name"] == "one"
    assert len(names(store)) == 6  # two bundles, their notes, two links


def test_the_same_once_more_changes_nothing(store, one, two):
    install(two, store)
    install(one, store)
    before = {path: path.stat().st_ino for path in (store.current, store.previous)}
    assert not install(one, store)["changed"]
    assert {path: path.stat().st_ino for path in (store.current, store.previous)} == before


def test_what_fails_its_test_leaves_all_as_it_was(store, one, make, tmp_path):
    install(one, store)
    before = names(store)
    with pytest.raises(BundleError, match="self-test failed"):
        install(make("wrong", ("loop",), ("loop",)), store)
    (tmp_path / "cut.rnnedge").write_bytes(one.read_bytes()[:1000])
    with pytest.raises(BundleError):
        install(tmp_path / "cut.rnnedge", store)
    assert names(store) == before
    assert status(store)["current"]["name"] == "one"


def test_a_form_that_fails_is_not_chosen(store, make):
    path = make("half", ("step",))
    found = install(path, store)
    assert found["form"] == "loop"
    assert "self-test failed" in found["forms"]["step"]["error"]
    with pytest.raises(BundleError, match="form step"):
        install(path, store, form="step")


def test_a_form_can_be_asked_for_and_is_run(store, one):
    for form in ("step", "loop"):
        assert install(one, store, form=form)["form"] == form
        loaded = read_bundle(store.folder / "current.rnnedge")
        assert form_of(open_model(loaded, "auto")) == form
    with pytest.raises(InputError, match="the bundle has loop, step"):
        install(one, store, form="fused")


def test_without_a_note_auto_is_the_default(one, tmp_path):
    bundle = read_bundle(one)
    assert chosen_form(bundle, "auto") is None
    assert chosen_form(bundle, "step") == "step"
    copy = tmp_path / "copy.rnnedge"
    copy.write_bytes(one.read_bytes())
    remember(copy, {"sha256": bundle.sha256, "form": "step"})
    assert chosen_form(read_bundle(copy), "auto") == "step"
    # A note about another bundle, about a form that is not there, or no note at all.
    for text in (json.dumps({"sha256": "0" * 64, "form": "step"}), '{"form": 3}', "[", "[]"):
        note_of(copy).write_text(text)
        assert recall(copy, bundle.sha256) == {}
        assert chosen_form(read_bundle(copy), "auto") is None
    remember(copy, {"sha256": bundle.sha256, "form": "nonsense"})
    assert chosen_form(read_bundle(copy), "auto") is None


def test_a_signature_can_be_asked_for(store, one, make, tmp_path):
    key = PrivateKey.new(tmp_path / "a.key")
    signed = make("signed", forms=("loop",))
    sign_bundle(signed, key)
    assert install(signed, store, key.public)["bundle"]["name"] == "signed"
    with pytest.raises(BundleError):
        install(one, store, key.public)
    assert status(store)["current"]["name"] == "signed"


def test_there_may_be_nothing_to_go_back_to(store, one):
    with pytest.raises(InputError, match="no bundle to go back to"):
        roll_back(store)
    install(one, store)
    with pytest.raises(InputError, match="no bundle to go back to"):
        roll_back(store)


def test_one_at_a_time(store, one):
    with store.locked(), pytest.raises(InputError, match="another installation is under way"):
        install(one, store)


@pytest.mark.parametrize("leftover", [".x-0123.tmp.rnnedge", ".link-0123", "0123456789abcdef.rnnedge"])
def test_what_a_cut_has_left_is_removed(store, one, leftover):
    store.folder.mkdir()
    (store.folder / leftover).write_bytes(b"half")
    install(one, store)
    assert leftover not in names(store)


def test_a_link_that_leads_nowhere_is_no_bundle(store, one):
    store.folder.mkdir()
    (store.folder / "current.rnnedge").symlink_to("gone.rnnedge")
    assert status(store)["current"] is None
    assert install(one, store)["previous"] is None


@pytest.mark.parametrize("which", ["clip_bundle_path", "caption_bundle_path"])
def test_kinds_without_a_choice_are_installed_too(store, which, request):
    found = install(request.getfixturevalue(which), store)
    assert found["form"] is None
    assert list(found["forms"]) == ["default"]
    loaded = read_bundle(store.folder / "current.rnnedge")
    assert form_of(open_model(loaded, "auto")) in ("step", "encode+decode")


def test_each_command_prints_one_line(store, one, tmp_path):
    def said(*words):
        done = CliRunner().invoke(main, ["--folder", str(store.folder), *map(str, words)])
        return done.exit_code, json.loads(done.stdout.splitlines()[-1])

    code, found = said("install", one)
    assert (code, found["ok"]) == (0, True)
    assert said("status")[1]["current"]["name"] == "one"
    code, found = said("rollback")
    assert (code, found["ok"]) == (2, False)
    assert "no bundle to go back to" in found["error"]
    code, found = said("install", tmp_path / "none.rnnedge")
    assert (code, found["ok"]) == (2, False)
    (tmp_path / "file").touch()
    done = CliRunner().invoke(main, ["--folder", str(tmp_path / "file" / "x"), "install", str(one)])
    assert done.exit_code == 2


def test_the_benchmark_and_the_self_test_are_one_line_each(one, run_cli):
    code, out, _ = run_cli(one, "--benchmark", "--json")
    found = json.loads(out)
    assert code == 0
    assert set(found["forms"]) == {"loop", "step"}
    assert all(form["calls"] >= 1 and form["median_us"] > 0 for form in found["forms"].values())
    assert found["machine"]["processors"] == os.cpu_count()
    assert run_cli(one, "--benchmark")[1].count("calls") == 2
    code, out, _ = run_cli(one, "--selftest", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["throughput"]["form"] == "loop"
    assert {"camera", "temperature_c", "throttled"} <= set(found)
    code, _, err = run_cli(one, "--benchmark", "--source", "synthetic")
    assert code == 2
    assert "--benchmark runs alone" in err


def test_a_camera_that_is_not_there_is_an_answer():
    from rnnedge_device.camera_probe import probe_camera

    found = probe_camera("/dev/video97")
    assert found is not None
    assert not found["ok"]
    assert "/dev/video97" in found["error"]
    if not Path("/dev/video0").exists():
        assert probe_camera() is None

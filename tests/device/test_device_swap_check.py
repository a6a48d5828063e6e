"""Bundles tried in another process: whatever a file does to the runtime, the runner goes on and says one thing."""

import os
import shutil
import signal
from dataclasses import replace

import hostile_models
import pytest

from rnnedge_device.bundle import read_bundle, sign_bundle, write_bundle
from rnnedge_device.classify import Classifier
from rnnedge_device.errors import BundleError, SignatureError
from rnnedge_device.signature import PrivateKey
from rnnedge_device.swap import Checker, prepare


@pytest.fixture(scope="module")
def checker():
    with Checker(limit_s=30) as running:
        yield running


def with_model(source, path, model):
    """The bundle at `source` with another default model, its digests right."""
    bundle = read_bundle(source)
    forms = (replace(bundle.manifest.forms[0], size_bytes=0),)
    write_bundle(path, replace(bundle.manifest, forms=forms), {**bundle.members, "model.tflite": model})
    return path


def test_good_bundles_of_every_task_pass(checker, bundle_path, clip_bundle_path, caption_bundle_path):
    for path, task, forms in (
        (bundle_path, "classify", ["loop", "step", "fused"]),
        (clip_bundle_path, "clips", ["step", "sequence"]),
        (caption_bundle_path, "captions", ["encode", "decode"]),
    ):
        check = checker.check(path, task=task)
        assert check.sha256 == read_bundle(path).sha256
        assert [form["form"] for form in check.selftest["forms"]] == forms
        assert check.selftest["ok"]
        assert 0 < check.latency_us["best"] <= check.latency_us["median"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (hostile_models.crashing, r"it crashes the runtime \(SIG"),
        (hostile_models.wrong, "the self-test failed: form loop: largest difference"),
        (lambda data: data[: len(data) // 2], "cannot load the model"),
        (lambda data: b"TFL3" * 1000, "cannot load the model"),
    ],
    ids=["crashing", "wrong", "half", "garbage"],
)
def test_a_bad_model_is_one_error_and_the_next_bundle_passes(
    make, message, checker, tiny, bundle_path, tmp_path
):
    path = with_model(bundle_path, tmp_path / "bad.rnnedge", make(tiny.models["loop"]))
    with pytest.raises(BundleError, match=message) as caught:
        checker.check(path)
    assert len(str(caught.value).splitlines()) == 1
    assert checker.check(bundle_path).selftest["ok"]


def test_a_model_that_never_ends_is_ended(tiny, bundle_path, tmp_path):
    path = with_model(bundle_path, tmp_path / "endless.rnnedge", hostile_models.endless(tiny.models["loop"]))
    before = _processes_of(os.getpid())
    with Checker(limit_s=2) as checker:
        with pytest.raises(BundleError, match="its trial took longer than 2 s"):
            checker.check(path)
        assert _processes_of(os.getpid()) == before + 1


def test_what_is_no_bundle_and_what_does_not_fit_is_refused_over_there_too(
    checker, bundle_path, clip_bundle_path, tmp_path
):
    garbage = tmp_path / "garbage.rnnedge"
    garbage.write_bytes(os.urandom(5000))
    for path, options, message in (
        (garbage, {}, "not a bundle"),
        (tmp_path / "none.rnnedge", {}, "no such file"),
        (clip_bundle_path, {"task": "classify"}, "task = 'clips': must be classify"),
        (bundle_path, {"form": "unrolled"}, "this bundle has loop, step, fused"),
    ):
        with pytest.raises(BundleError, match=message):
            checker.check(path, **options)


def test_a_signature_that_was_asked_for_is_checked_over_there(checker, bundle_path, tmp_path):
    key = PrivateKey.new(tmp_path / "own.key")
    path = tmp_path / "signed.rnnedge"
    shutil.copy(bundle_path, path)
    with pytest.raises(SignatureError, match="not signed"):
        checker.check(path, key=key.public)
    sign_bundle(path, key)
    assert checker.check(path, key=key.public).selftest["ok"]


def test_a_checking_process_that_dies_is_started_anew(bundle_path):
    before = _processes_of(os.getpid())
    with Checker() as checker:
        first = checker.check(bundle_path)
        os.kill(checker._process.pid, signal.SIGKILL)
        checker._process.wait()
        assert checker.check(bundle_path).sha256 == first.sha256
    assert _processes_of(os.getpid()) == before
    checker.close()


def test_prepare_loads_what_was_tried(bundle_path, tiny, tmp_path):
    loaded = prepare(bundle_path, Classifier, task="classify")
    assert loaded.bundle.sha256 == loaded.check.sha256
    assert loaded.model.predict(tiny.images[0]).label in loaded.bundle.manifest.labels


def test_a_file_that_changes_under_the_trial_is_not_loaded(checker, bundle_path, tiny, tmp_path):
    """What is loaded here must be what was tried there, and not what lies at the same path by now."""
    path = tmp_path / "moving.rnnedge"
    shutil.copy(bundle_path, path)

    class Replaced(Checker):
        def check(self, given, **options):
            found = checker.check(given, **options)
            with_model(bundle_path, path, hostile_models.crashing(tiny.models["loop"]))
            return found

    with pytest.raises(BundleError, match="was replaced while it was being tried"):
        prepare(path, Classifier, checker=Replaced())


def _processes_of(parent):
    """Living children of a process, of any depth, that check bundles."""
    found = 0
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as stat, open(f"/proc/{entry}/cmdline") as command:
                state, above = stat.read().rpartition(")")[2].split()[:2]
                if int(above) == parent and state != "Z" and "checker_child" in command.read():
                    found += 1 + _processes_of(int(entry))
        except OSError:
            continue
    return found

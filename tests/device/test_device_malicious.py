"""Malicious input: bundles and models changed at random, and none of them takes the runner down.

A short version in the normal tests; `make test-malicious` tries 2,000 of each (RNNEDGE_MUTATIONS).
"""

import os
from dataclasses import replace

import numpy as np
import pytest
from mutations import mutated_bytes, mutated_json
from test_device_bundle import contents, listed, pack

from rnnedge_device.bundle import read_bundle, write_bundle
from rnnedge_device.errors import BundleError
from rnnedge_device.swap import Checker

COUNT = int(os.environ.get("RNNEDGE_MUTATIONS", "150"))
SEED = int(os.environ.get("RNNEDGE_MUTATIONS_SEED", "1"))


@pytest.fixture(scope="module")
def sources(bundle_path, clip_bundle_path, caption_bundle_path):
    return [bundle_path, clip_bundle_path, caption_bundle_path]


@pytest.fixture(scope="module")
def checker():
    with Checker(limit_s=20) as running:
        yield running


def said(call, path):
    """ "" for a bundle that is taken, else the one clear error. Anything else that is raised fails the test."""
    try:
        call(path)
    except BundleError as problem:
        text = str(problem)
        assert text.startswith(f"bundle {str(path)!r}: ")
        assert len(text.splitlines()) == 1
        assert 20 < len(text.encode()) < 2000
        return text
    return ""


def test_mutated_bundles(sources, checker, tmp_path):
    """Bytes of the file; values of the manifest; golden inputs and vocabularies whose digests are right."""
    path, taken, refused = tmp_path / "mutated.rnnedge", 0, set()
    for number in range(COUNT):
        rng = np.random.default_rng([SEED, 1, number])
        source = sources[number % 3]
        members = contents(source)
        kind = ("bytes", "manifest", "golden.npz", "vocabulary.txt")[number // 3 % 4]
        if kind == "manifest":
            members["manifest.json"] = mutated_json(members["manifest.json"], rng)
        elif kind in members:
            members = listed(members, kind, mutated_bytes(members[kind], rng))
        if kind == "manifest" or kind in members:
            pack(path, members.items())
        else:
            path.write_bytes(mutated_bytes(source.read_bytes(), rng))
        here = said(read_bundle, path)
        there = said(checker.check, path)
        # What reading refuses, it refuses over there too, with the same words.
        assert not here or here == there, number
        refused.add(there)
        taken += not there
    assert taken < COUNT // 4
    assert len(refused) > COUNT // 4


def test_mutated_models(sources, checker, tmp_path):
    """The digests are right: the runtime itself gets to see them."""
    path, taken, refused = tmp_path / "mutated.rnnedge", 0, []
    for number in range(COUNT):
        rng = np.random.default_rng([SEED, 2, number])
        bundle = read_bundle(sources[number % 3])
        model = mutated_bytes(bundle.members["model.tflite"], rng)
        # Forms of other files would only cost time.
        forms = [replace(form, size_bytes=0) for form in bundle.manifest.forms if form.file == "model.tflite"]
        members = {**bundle.members, "model.tflite": model}
        write_bundle(path, replace(bundle.manifest, forms=tuple(forms)), members)
        read_bundle(path)
        text = said(checker.check, path)
        taken += not text
        refused.append(text)
    assert 0 < taken < COUNT // 4
    assert sum("cannot load the model" in text for text in refused) > COUNT // 2

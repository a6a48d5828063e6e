"""A runner for long: memory, threads and descriptors stay as they are. `make soak` gives it 200,000 frames."""

import os

import pytest

from benchmarks.runner.soak import MOST_BYTES, soak

FRAMES = int(os.environ.get("RNNEDGE_SOAK", "10000"))


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc to read the memory from")
def test_two_cameras_run_in_flat_memory(clip_bundle_path):
    found = soak(clip_bundle_path, FRAMES)
    assert (found["code"], found["frames"]) == (0, FRAMES)
    early, late, after = found["early"], found["late"], found["after"]
    assert late["bytes"] - early["bytes"] <= MOST_BYTES
    assert late["threads"] <= early["threads"]
    assert late["descriptors"] <= early["descriptors"]
    assert after["threads"] < early["threads"]
    assert after["descriptors"] < early["descriptors"]

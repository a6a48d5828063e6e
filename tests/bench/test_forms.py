"""The forms benchmark runs as a whole, on one small layer."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MISSING = [name for name in ("onnx", "onnxruntime", "torch") if importlib.util.find_spec(name) is None]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.forms", *arguments]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)


@pytest.mark.skipif(
    bool(MISSING), reason=f"the peers are not installed ({', '.join(MISSING)}): extra [bench]"
)
def test_all_candidates_in_one_table(tmp_path: Path) -> None:
    done = run("--units", "16", "--rounds", "200", "--json", str(tmp_path / "forms.json"))
    assert done.returncode == 0, done.stderr[-2000:]
    (result,) = json.loads((tmp_path / "forms.json").read_text())["results"]
    rows = {row["name"]: row for row in result["candidates"]}
    for name in (
        "loop",
        "unrolled",
        "step × 28 calls",
        "TFLite fused, post-training int8",
        "PyTorch float32",
    ):
        assert f"{name}" in done.stdout
        assert rows[name]["median_us"] > 0
    assert {row["role"] for row in rows.values()} == {"ours", "peer", "limit"}
    # All forms compute the same bits, so they are equally far from the Keras model.
    assert len({row["max_abs"] for row in rows.values() if row["role"] == "ours"}) == 1
    assert all(row["max_abs"] < 1e-4 for name, row in rows.items() if "float32" in name)


@pytest.mark.skipif(not MISSING, reason="the peers are installed")
def test_missing_peers_are_named() -> None:
    done = run("--units", "16")
    assert done.returncode != 0
    assert all(name in done.stderr for name in MISSING)
    assert "rnnedge[bench]" in done.stderr


def test_bad_size_is_refused() -> None:
    done = run("--units", "4")
    assert done.returncode == 2
    assert "4 is not in the range" in done.stderr

"""Imports point one way: rnnedge → rnnedge_export → rnnedge_device, and heavy packages stay in their room."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "rnnedge": ROOT / "rnnedge",
    "rnnedge_export": ROOT / "export" / "rnnedge_export",
    "rnnedge_device": ROOT / "device" / "rnnedge_device",
}
FORBIDDEN = {
    "rnnedge": {"tensorflow", "tf_keras", "tensorflow_model_optimization"},
    "rnnedge_export": {"rnnedge", "jax", "torch"},
    "rnnedge_device": {
        *("rnnedge", "rnnedge_export", "tensorflow", "tf_keras", "keras", "tensorflow_model_optimization"),
        *("matplotlib", "jax", "torch", "sklearn", "rich", "jinja2"),
    },
}
# One backend's kernel, gradient and threads, asked for where that backend trains.
ALLOWED = {
    "rnnedge/models/attended_lstm.py": {"tensorflow"},
    "rnnedge/training/fused_norm.py": {"tensorflow"},
    "rnnedge/training/caption_graph.py": {"tensorflow"},
}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    files = list(PACKAGES[package].rglob("*.py"))
    assert len(files) > 10
    wrong = {}
    for file in files:
        name = str(file.relative_to(ROOT))
        if bad := _imports(file) & FORBIDDEN[package] - ALLOWED.get(name, set()):
            wrong[name] = sorted(bad)
    assert wrong == {}


def test_device_and_help_load_nothing_heavy() -> None:
    """Whatever is imported on the way: the device's modules and both ``--help`` texts stay light."""
    code = (
        "import sys, rnnedge_device.cli, rnnedge_device.classify, rnnedge_device.sources, rnnedge.cli, rnnedge_export\n"
        "for main in (rnnedge.cli.main, rnnedge_device.cli.main):\n"
        "    try: main(['--help'])\n"
        "    except SystemExit as end: assert not end.code\n"
        "print('LOADED', *sorted({name.split('.')[0] for name in sys.modules}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.count("Example") == 2
    loaded = set(out.partition("LOADED")[2].split())
    assert "cv2" in loaded
    assert not loaded & {
        "tensorflow",
        "tf_keras",
        "keras",
        "jax",
        "torch",
        "matplotlib",
        "sklearn",
        "pydantic",
        *("paho", "httpx", "aiohttp", "cryptography", "prometheus_client", "sqlite3"),
    }

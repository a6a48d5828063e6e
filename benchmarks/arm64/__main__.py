"""`python -m benchmarks.arm64 RUN...`: a run's bundle on its own test data, here and on an emulated arm64 machine.

RUN is a folder that `rnnedge train` and `rnnedge quantize` have filled, or `rnnedge demo`. Prints for each form how far
both arm64 runtimes are from ai-edge-litert here. Needs what `device/raspberrypi/emulated-root` needs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.arm64.compared import gaps, row
from rnnedge.data.captions import load_captions
from rnnedge.deploy.debian.architecture import ARCHITECTURES
from rnnedge.deploy.debian.wheels import fetch, unpack
from rnnedge.runs import Run

COUNT = 600
CLIPS = 100  # some 1,800 frames of the demo's
ROOT = Path(__file__).parents[2]
EMULATED_ROOT = ROOT / "device/raspberrypi/emulated-root"
ARM64 = ARCHITECTURES["arm64"]


def frames_of(run: Run) -> tuple[np.ndarray, list[int]]:
    """Some 600 images or 100 clips that were not trained on, as frames `uint8 [N, H, W]` or `[N, H, W, 3]`, and where
    clips begin."""
    if run.recipe.task == "clips":
        clips = [np.squeeze(np.asarray(clip.frames[:]), -1) for clip in run.clips("test").clips[:CLIPS]]
        return np.concatenate(clips), np.cumsum([0, *map(len, clips)])[:-1].tolist()
    if run.recipe.task == "captions":
        images = load_captions(run.recipe.data.name, "test").images
        return np.stack([images[i] for i in range(min(COUNT, len(images)))]), []
    found = [image for split in ("test", "val") for image in run.data(split).images]
    return np.stack(found[:COUNT]), []


def prepare(runs: list[Path], folder: Path) -> list[str]:
    """Bundles and frames into a folder that both machines see, with what runs on both; the bundles' names."""
    names = []
    for path in runs:
        run = Run.open(path)
        frames, starts = frames_of(run)
        names.append(run.recipe.name)
        shutil.copy(run.bundle, folder / f"{names[-1]}.rnnedge")
        np.save(folder / f"{names[-1]}.npy", frames)
        np.save(folder / f"{names[-1]}.starts.npy", np.array(starts or [0]))
    shutil.copy(Path(__file__).with_name("outputs.py"), folder)
    shutil.copytree(ROOT / "device/rnnedge_device", folder / "site/rnnedge_device")
    for wheel in fetch(ARM64):
        put(wheel, folder / "site")
    return names


def put(wheel: Path, folder: Path) -> None:
    """Unpack a wheel as a site of packages has it."""
    for path, data in unpack(wheel):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def tflite_runtime(folder: Path) -> None:
    """tflite-runtime for arm64, which no package of ours for that machine has."""
    wheels = folder / "wheels"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *ARM64.pip_options]
    subprocess.run([*command, "--dest", str(wheels), "tflite-runtime==2.14.0"], check=True)
    for wheel in wheels.glob("*.whl"):
        put(wheel, folder / "tflite")


def main(runs: list[Path]) -> None:
    """Print a line for each runtime and form."""
    subprocess.run([EMULATED_ROOT, "build"], check=True)
    with tempfile.TemporaryDirectory(prefix="rnnedge-arm64-") as temporary:
        folder = Path(temporary)
        names = prepare(runs, folder)
        tflite_runtime(folder)
        here = {**os.environ, "RNNEDGE_RUNTIME": "litert"}
        subprocess.run(
            [sys.executable, folder / "outputs.py", folder / "x86.npz", folder, *names], check=True, env=here
        )
        for runtime, path in (("litert", "/w/site"), ("tflite", "/w/tflite:/w/site")):
            words = ["python3", "-s", "/w/outputs.py", f"/w/{runtime}.npz", "/w", *names]
            command = [
                EMULATED_ROOT,
                "run",
                "--over",
                folder / "layer",
                "--show",
                folder,
                "env",
                f"PYTHONPATH={path}",
            ]
            subprocess.run([*command, *words], check=True, env={**os.environ, "RNNEDGE_RUNTIME": runtime})
            for form, gap in gaps(folder / "x86.npz", folder / f"{runtime}.npz").items():
                print(row(runtime, form, gap), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("say which runs: python -m benchmarks.arm64 runs/demo runs/demo-clips runs/demo-captions")
    main([Path(word) for word in sys.argv[1:]])

"""Real, tiny models (made once a session) and bundles around them."""

import fcntl
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partialmethod
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tiny_captions import VOCABULARY, real_manifest
from tiny_captions import images as caption_images
from tiny_clips import TinyClips, noise

from rnnedge_device.bundle import Bundle, read_bundle, write_bundle
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier
from rnnedge_device.form import Form
from rnnedge_device.golden import Golden, golden_captions
from rnnedge_device.interpreter import load_model, runtime_version
from rnnedge_device.manifest import Manifest
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.runner.supervision import Supervision
from rnnedge_device.tensors import Scan, State

LABELS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
STATES = (State("h0", "h0_next"), State("c0", "c0_next"))
ROWS = Scan((("reshape", (8, 8)),))
FILES = {"loop": "model.tflite", "step": "model.step.tflite", "fused": "model.fused.tflite"}


@dataclass
class Tiny:
    """The model files, the held-out scans `uint8 [N, 8, 8]`, their labels and the float model's logits."""

    models: dict[str, bytes]
    images: np.ndarray
    labels: np.ndarray
    float_y: np.ndarray
    preprocess: Preprocess = field(default_factory=lambda: Preprocess((8, 8)))

    def form(self, name: str, model: str | None = None, signature: str | None = None, **changes: Any) -> Form:
        """The form as an exporter would describe it, read off the model itself."""
        data = self.models[model or name]
        loaded = load_model(data, signature=signature)
        step = name == "step"
        arguments: dict[str, Any] = {
            "name": name,
            "file": FILES[name],
            "signature": loaded.signature,
            "inputs": tuple(port.tensor for port in loaded.inputs.values()),
            "outputs": tuple(port.tensor for port in loaded.outputs.values()),
            "states": STATES if step else (),
            "scan": ROWS if step else Scan(),
            "ops": {"FULLY_CONNECTED": 2},
            "size_bytes": len(data),
            "latency_us": 12.5,
        }
        return Form(**{**arguments, **changes})

    def manifest(self, *names: str, **changes: Any) -> Manifest:
        forms = changes.pop("forms", None) or tuple(self.form(name) for name in names or FILES)
        arguments: dict[str, Any] = {
            "name": "tiny-lstm",
            "labels": LABELS,
            "preprocess": self.preprocess,
            "forms": forms,
            "metrics": {"accuracy": {"int8": 0.9, "images": len(self.images), "data": "digits"}},
            "versions": {"runtime": runtime_version()},
            "created": "2024-01-01T00:00:00Z",
        }
        return Manifest(**{**arguments, **changes})

    def members(self, *names: str) -> dict[str, bytes]:
        return {FILES[name]: self.models[name] for name in names or FILES}


@pytest.fixture(scope="session")
def made_models(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str, worker_id: str) -> Path:
    """The folder of the models. Made once for all workers of pytest-xdist: the first makes them, the others wait."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    out = shared / f"tiny-{testrun_uid}"
    with open(shared / "tiny.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not out.exists():
            part = tmp_path_factory.mktemp("tiny")
            maker = Path(__file__).with_name("make_models.py")
            done = subprocess.run([sys.executable, str(maker), str(part)], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-4000:]
            part.rename(out)
    return out


@pytest.fixture(scope="session")
def tiny(made_models: Path) -> Tiny:
    held_out = np.load(made_models / "held_out.npz")
    names = ("loop", "step", "both", "float_border", "fused")
    models = {name: (made_models / f"{name}.tflite").read_bytes() for name in names}
    return Tiny(models, held_out["images"], held_out["labels"], held_out["float_y"])


@pytest.fixture(scope="session")
def tiny_clips(made_models: Path) -> TinyClips:
    return TinyClips({name: (made_models / f"{name}.tflite").read_bytes() for name in ("light", "int8")})


@pytest.fixture(scope="session")
def clip_bundle_path(tiny_clips: TinyClips, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole clip bundle (light) with golden frames. Not to be changed."""
    path = tmp_path_factory.mktemp("clip_bundle") / "light.rnnedge"
    images = noise(10)[..., 0]
    stream = tiny_clips.model().open_stream()
    outputs = np.stack([stream.step(image[..., None]).raw for image in images])
    members = {
        "model.tflite": tiny_clips.models["light"],
        "golden.npz": Golden(images, {"step": outputs, "sequence": outputs}).to_bytes(),
    }
    write_bundle(path, tiny_clips.manifest(), members)
    return path


@pytest.fixture(scope="session")
def caption_bundle_path(made_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole caption bundle (int8) with golden images. Not to be changed."""
    path = tmp_path_factory.mktemp("caption_bundle") / "captions.rnnedge"
    data = (made_models / "caption.tflite").read_bytes()
    members = {"model.tflite": data, "vocabulary.txt": VOCABULARY.to_text().encode()}
    made = real_manifest(data)
    golden = golden_captions(Captioner(Bundle(made, members)), caption_images(6), 5)
    write_bundle(path, made, {**members, "golden.npz": golden.to_bytes()})
    return path


@pytest.fixture(scope="session")
def caption_bundle(caption_bundle_path: Path) -> Bundle:
    """The same, read. Not to be changed."""
    return read_bundle(caption_bundle_path)


@pytest.fixture(scope="session")
def golden(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """`golden.npz` with the outputs this machine gives."""
    path = tmp_path_factory.mktemp("plain") / "plain.rnnedge"
    write_bundle(path, tiny.manifest(), tiny.members())
    bundle = read_bundle(path)
    images = tiny.images[:6]
    outputs = {
        name: np.stack([Classifier(bundle, name).predict(image).raw for image in images]) for name in FILES
    }
    return Golden(images, outputs).to_bytes()


@pytest.fixture(scope="session")
def bundle_path(tiny: Tiny, golden: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle: loop (the default), step and fused, with golden inputs. Not to be changed."""
    path = tmp_path_factory.mktemp("bundle") / "tiny.rnnedge"
    write_bundle(path, tiny.manifest(), {**tiny.members(), "golden.npz": golden})
    return path


@pytest.fixture(scope="session")
def clip(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real MP4 of 24 frames, 96x80 at 12 frames a second: held-out digits, brighter frame by frame."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 12.0, (96, 80))
    for number in range(24):
        picture = np.full((80, 96, 3), 8 * number, np.uint8)
        picture[8:72, 16:80] = cv2.resize(tiny.images[number], (64, 64))[..., None]
        writer.write(picture)
    writer.release()
    return path


@pytest.fixture
def pictures(tiny: Tiny, tmp_path: Path) -> Path:
    """A folder of 10 held-out digits as PNG files, `00.png` to `09.png`."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, image in enumerate(tiny.images[:10]):
        cv2.imwrite(str(folder / f"{number:02d}.png"), image)
    return folder


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs `rnnedge-run ARGUMENTS` in this process: (exit code, stdout, stderr)."""
    from rnnedge_device.cli import main

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return int(ended.value.code or 0), out, err

    return run


@pytest.fixture
def no_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that is lost gives up at once."""
    monkeypatch.setattr(Supervision, "__init__", partialmethod(Supervision.__init__, restart_budget=0))

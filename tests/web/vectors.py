"""What the Python part computes, for the web engine to be held against.

Each vector is an entry of `vectors.json`; pictures are R, G, B or grey, and lie in `vectors.bin` at `[offset, shape]`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rnnedge_device.events import EventDecoder, EventRules
from rnnedge_device.foreground import Foreground
from rnnedge_device.hypothesis import repeating
from rnnedge_device.preprocess import Preprocess
from rnnedge_device.rate import FramePicker
from rnnedge_device.scene import SceneCut, SceneDetector, thumbnail
from rnnedge_device.search import SearchOptions, search
from rnnedge_device.tensors import Scan, Tensor


class Vectors:
    """Entries by kind, and one file of bytes."""

    def __init__(self) -> None:
        self.entries: dict[str, list[Any]] = {}
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, kind: str, **entry: Any) -> None:
        self.entries.setdefault(kind, []).append(entry)

    def keep(self, array: np.ndarray) -> list[Any]:
        """Where its bytes lie, and its shape."""
        data = np.ascontiguousarray(array).tobytes()
        data += bytes(-len(data) % 8)
        offset, self._size = self._size, self._size + len(data)
        self._parts.append(data)
        return [offset, list(array.shape)]

    def picture(self, image: np.ndarray) -> list[Any]:
        """A frame `[H, W]` or `[H, W, 3]` BGR, in R, G, B order."""
        return self.keep(image if image.ndim == 2 else image[..., ::-1])

    def write(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "vectors.json").write_text(json.dumps(self.entries))
        (out / "vectors.bin").write_bytes(b"".join(self._parts))


def scene(rng: np.random.Generator, rows: int, columns: int, channels: int = 3) -> np.ndarray:
    """A drawn frame with smooth and sharp parts, `uint8 [rows, columns(, channels)]`."""
    small = rng.integers(0, 256, (max(2, rows // 9), max(2, columns // 11), channels), np.uint8)
    image = cv2.resize(small, (columns, rows), interpolation=cv2.INTER_CUBIC).reshape(rows, columns, channels)
    noise = rng.integers(-12, 13, image.shape)
    image = np.clip(image.astype(int) + noise, 0, 255).astype(np.uint8)
    at = rng.integers(0, [max(1, rows // 2), max(1, columns // 2)])
    cv2.rectangle(
        image, (int(at[1]), int(at[0])), (columns * 3 // 4, rows * 3 // 4), (250, 30, 90)[:channels], -1
    )
    return image[..., 0] if channels == 1 else image


SIZES = (
    (480, 640),
    (640, 480),
    (97, 131),
    (32, 32),
    (15, 40),
    (28, 28),
    (240, 320),
    (7, 9),
    (56, 56),
    (720, 405),
)


def preprocessing(vectors: Vectors) -> None:
    rng = np.random.default_rng(0)
    shapes = ((28, 28), (32, 32), (12, 12), (64, 48), (96, 96))
    for number, (rows, columns) in enumerate(SIZES):
        frame = scene(rng, rows, columns, 1 if number % 5 == 3 else 3)
        seen = vectors.picture(frame)
        for size in shapes:
            for fit in ("stretch", "pad", "crop"):
                color = ("gray", "rgb")[(number + size[0] // 4) % 2]
                extra: dict[str, Any] = {"mean": [0.5], "std": [0.25]} if number % 3 == 0 else {}
                if color == "gray":
                    extra |= {"equalize": number % 2 == 0, "invert": number % 4 == 1}
                preprocess = Preprocess(size, color, fit, **extra)
                vectors.add(
                    "preprocess",
                    spec=preprocess.to_dict(),
                    frame=seen,
                    pixels=vectors.keep(preprocess.pixels(frame)),
                    input=vectors.keep(preprocess(frame)),
                )


def foregrounds(vectors: Vectors) -> None:
    for drift, learn, detail in ((0.0, 4, 4), (0.5, 3, 2), (0.02, 1, 3)):
        rng = np.random.default_rng(learn)
        spec = Preprocess(
            (12, 16), equalize=drift == 0.5, foreground=Foreground(learn=learn, detail=detail, drift=drift)
        )
        view, room, frames, found = spec.view(), scene(rng, 120, 160), [], []
        pauses, resets = [9], [17]
        for number in range(24):
            light = 1 + 0.2 * np.sin(number / 3)
            frame = np.clip(room * light + rng.normal(0, 4, room.shape), 0, 255).astype(np.uint8)
            if number > 5:
                cv2.circle(frame, (20 + 6 * number, 60), 18, (10, 200, 40), -1)
            if number in pauses:
                view.pause()
            if number in resets:
                view.reset()
            frames.append(vectors.picture(frame))
            found.append(vectors.keep(view.pixels(frame)))
        vectors.add(
            "foreground", spec=spec.to_dict(), frames=frames, pixels=found, pauses=pauses, resets=resets
        )


def scenes(vectors: Vectors) -> None:
    rng = np.random.default_rng(5)
    for rows, columns, channels in (
        (32, 32, 1),
        (96, 96, 3),
        (12, 12, 3),
        (20, 14, 1),
        (28, 28, 1),
        (16, 16, 3),
    ):
        detector, frames, cuts, thumbs = SceneDetector(SceneCut(0.06)), [], [], []
        picture = scene(rng, rows, columns, channels).reshape(rows, columns, channels)
        for number in range(12):
            if number in (4, 9):
                picture = scene(rng, rows, columns, channels).reshape(rows, columns, channels)
            frame = np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)
            frames.append(vectors.keep(frame))
            thumbs.append(vectors.keep(thumbnail(frame)))
            cuts.append(bool(detector.cut(frame)))
        vectors.add("scene", threshold=0.06, frames=frames, thumbnails=thumbs, cuts=cuts)


def rates(vectors: Vectors) -> None:
    rng = np.random.default_rng(3)
    for rate in (5.0, 10.0, 12.5, 30.0):
        for fps in (7, 10, 15, 29.97, 30, 60):
            jitter = rng.normal(0, 200 / fps, 90) * rng.integers(0, 2)
            times = np.maximum.accumulate(1000 * np.arange(90) / fps + jitter)
            times[60:] += 2500
            picker, found = FramePicker(rate, 1000.0), []
            for time in times.tolist():
                gap = picker.gap(time)
                if gap:
                    picker.reset()
                found.append([gap, picker.steps(time)])
            vectors.add("rate", rate=rate, max_gap_ms=1000.0, times=times.tolist(), found=found)


def events(vectors: Vectors) -> None:
    labels = ("none", "fall", "sit", "walk")
    for seed in range(8):
        rng = np.random.default_rng(seed)
        rules = EventRules(
            smooth_ms=(0.0, 300.0)[seed % 2],
            min_ms=float(150 * (seed % 3)),
            refractory_ms=float(400 * (seed % 4 > 1)),
        )
        decoder, steps, time = EventDecoder(labels, ("none", "")[seed % 2], rules), [], 0.0
        level = np.zeros(4)
        for number in range(160):
            time += 100.0 + rng.uniform(-20, 20)
            level = 0.8 * level + rng.normal(0, 1.2, 4)
            scores = np.exp(level, dtype=np.float32)
            scores /= scores.sum()
            reset = number == 90
            found = decoder.finish() if reset else []
            if reset:
                decoder.reset()
            found = found + decoder.step(time, scores)
            steps.append(
                {
                    "ts_ms": time,
                    "scores": scores.tolist(),
                    "reset": reset,
                    "events": found,
                    "running": decoder.running,
                }
            )
        vectors.add(
            "events",
            labels=labels,
            background=("none", "")[seed % 2],
            rules=rules.to_dict(),
            steps=steps,
            end=decoder.finish(),
        )


class Table:
    """A decoder whose log-probabilities are looked up by the last words: quarters, so that many are equal."""

    def __init__(self, words: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.rows = (-rng.integers(0, 24, (words, words)) / 4).astype(np.float32)

    def step(self, token: int, state: Any) -> Any:
        before = int(state["last"][0])
        return self.rows[token] + 0.5 * self.rows[before], {"last": np.array([token], np.int32)}, None


def searches(vectors: Vectors) -> None:
    for seed in range(60):
        words = 9 + seed % 5
        decoder = Table(words, seed)
        options = SearchOptions(
            beam=1 + seed % 4,
            length_penalty=(0.7, 0.0, 1.0)[seed % 3],
            no_repeat=seed % 4,
            max_length=(6, 12)[seed % 2],
        )
        told: list[int] = []
        found = search(decoder, {"last": np.array([1], np.int32)}, options, told.append)[0]
        vectors.add(
            "search",
            rows=decoder.rows.tolist(),
            options=vars(options),
            ids=found.ids,
            log_probability=found.log_probability,
            score=found.score,
            ended=found.ended,
            told=told,
        )
    for ids in ((4, 5, 4, 5, 4), (4, 4, 4), (5,), ()):
        vectors.add("repeating", ids=ids, found=[repeating(ids, n) for n in range(5)])


def numbers(vectors: Vectors) -> None:
    rng = np.random.default_rng(9)
    values = [
        *rng.uniform(-2000, 2000, 300).tolist(),
        0.0625,
        0.1875,
        -0.0625,
        2.5,
        1e-9,
        33.0625,
        1234.0005,
        0.5,
    ]
    vectors.add("round", values=values, found=[[round(value, 3), round(value, 6)] for value in values])
    for scale, zero in ((0.0039253984577953815, -128), (0.055, -13), (0.5, 0), (0.007, 127)):
        real = rng.normal(0, 30 * scale, 400).astype(np.float32)
        real[:40] = np.float32(scale) * (np.arange(40) - 20 + np.float32(0.5))
        tensor = Tensor("x", (400,), "int8", scale, zero)
        held = tensor.hold(real)
        vectors.add(
            "quantize",
            scale=scale,
            zero_point=zero,
            real=vectors.keep(real),
            held=vectors.keep(held),
            back=vectors.keep(tensor.decode(held)),
        )
    image = np.arange(6 * 8 * 2, dtype=np.int8).reshape(6, 8, 2)
    for steps in (
        (),
        (("reshape", (6, 16)),),
        (("transpose", (1, 0, 2)), ("reshape", (8, 12))),
        (("transpose", (2, 1, 0)),),
    ):
        vectors.add(
            "scan",
            steps=steps,
            shape=image.shape,
            image=vectors.keep(image),
            found=vectors.keep(Scan(steps)(image)),
        )


def add_all(vectors: Vectors) -> None:
    """Everything but whole bundles."""
    for part in (preprocessing, foregrounds, scenes, rates, events, searches, numbers):
        part(vectors)

"""How soon the device part is ready, and how much memory it takes.

Each figure is taken in a fresh process: from its first statement over imports and loading to the first
answer, and the peak of its resident memory. The candidates take turns (A B C A B C ...), after one round
that only warms the disk cache.

Usage: python benchmarks/startup.py BUNDLE [--rounds 9] [--json]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rnnedge_device.bundle import read_bundle

# What a hand-written script would need: the floor.
_BARE = """
import cv2, numpy as np
from ai_edge_litert.interpreter import Interpreter
model = Interpreter(model_path=sys.argv[1], num_threads=1)
model.allocate_tensors()
for detail in model.get_input_details():
    model.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
model.invoke()
model.get_tensor(model.get_output_details()[0]["index"])
"""
_LIBRARY = """
from rnnedge_device.bundle import read_bundle
from rnnedge_device.classify import Classifier
classifier = Classifier(read_bundle(sys.argv[2]))
import numpy as np
classifier.predict(np.zeros((48, 64, 3), np.uint8))
"""
_COMMAND = """
import contextlib, os
from rnnedge_device.cli import main
with contextlib.suppress(SystemExit), open(os.devnull, "w") as sys.stdout:
    main([sys.argv[2], "--source", "synthetic:64x48x1", "--json"])
sys.stdout = sys.__stdout__
"""
# VmHWM and not getrusage: that one starts with the peak of the parent process.
_FRAME = """
import sys, time
begin = time.perf_counter()
{body}
seconds = time.perf_counter() - begin
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak.split()[1]) / 1024)
"""
CANDIDATES = {
    "bare OpenCV + NumPy + LiteRT": _BARE,
    "rnnedge_device (library)": _LIBRARY,
    "rnnedge-run (one frame)": _COMMAND,
}


def measure(bundle: str, rounds: int) -> dict[str, dict[str, float]]:
    """`{candidate: {"seconds", "p95_seconds", "mib"}}`, medians over `rounds` fresh processes each."""
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in CANDIDATES}
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.tflite"
        model.write_bytes(read_bundle(bundle).model())
        for number in range(rounds + 1):
            for name, body in CANDIDATES.items():
                arguments = [sys.executable, "-c", _FRAME.format(body=body), str(model), bundle]
                done = subprocess.run(arguments, capture_output=True, text=True)
                if done.returncode != 0:
                    raise SystemExit(f"{name} failed:\n{done.stderr}")
                seconds, mib = map(float, done.stdout.split()[-2:])
                if number > 0:
                    samples[name].append((seconds, mib))
    return {
        name: {
            "seconds": statistics.median(seconds for seconds, _ in pairs),
            "p95_seconds": sorted(seconds for seconds, _ in pairs)[int(0.95 * (len(pairs) - 1))],
            "mib": statistics.median(mib for _, mib in pairs),
        }
        for name, pairs in samples.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Start time and peak memory of the device part against bare OpenCV + NumPy + LiteRT.",
        epilog="Example: python benchmarks/startup.py runs/demo/digits.rnnedge --json",
    )
    parser.add_argument("bundle", help="a .rnnedge bundle")
    parser.add_argument(
        "--rounds", type=int, default=9, help="fresh processes for each candidate (default 9)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: must be 1 or more")
    found = measure(options.bundle, options.rounds)
    if options.json:
        print(json.dumps({"bundle": options.bundle, "rounds": options.rounds, "candidates": found}))
        return
    print(f"{'':30}{'median':>10}{'p95':>10}{'peak memory':>14}")
    for name, row in found.items():
        print(f"{name:30}{row['seconds']:>8.3f} s{row['p95_seconds']:>8.3f} s{row['mib']:>10.1f} MiB")


if __name__ == "__main__":
    main()

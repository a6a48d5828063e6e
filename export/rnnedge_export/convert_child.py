"""The converter's process: ``python -m rnnedge_export.convert_child``, which reads names of job files, one a line.

It imports TensorFlow and nothing of ours, takes a file's jobs in order and says on stdout where it stands, so that the
parent knows which job a crash belongs to.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Convert the jobs of each file, until there are no more files."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    # Ctrl-C is the parent's to answer; it ends this process by ending its input, or by force.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        _convert_all(tf, line.rstrip("\n"))
        print("end", flush=True)


def _convert_all(tf: Any, path: str) -> None:
    for job in json.loads(Path(path).read_text()):
        output = Path(job["output"])
        print(f"start {job['name']}", flush=True)
        try:
            data = _convert(tf, job)
        except Exception as error:  # any refusal of the converter is an answer, not a fault of this process
            output.with_suffix(".error").write_text(f"{type(error).__name__}: {error}")
            continue
        output.write_bytes(data)


def _convert(tf: Any, job: dict[str, Any]) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(job["saved_model"], signature_keys=["serve"])
    mode = job["mode"]
    if mode != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode in ("int8", "static"):
        # One scale a matrix: several uses of one matrix would else be requantised a scale a row, off the
        # trained grid, and tflite-runtime 2.14 takes no such matrix.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        if job["io"] == "int8":
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
    if mode == "static":
        import numpy as np

        samples = np.load(job["samples"])
        converter.representative_dataset = lambda: ({"x": sample[None]} for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter.convert()


if __name__ == "__main__":
    main()

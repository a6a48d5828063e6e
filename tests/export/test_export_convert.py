"""The converter's process: a crash, a hang or a refusal is one clear error, and takes nothing else with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import tensorflow as tf
from models import inputs, one_layer

from rnnedge_device.errors import InputError
from rnnedge_export import ptq
from rnnedge_export.convert import ConversionError, Job, convert
from rnnedge_export.converter_process import ConverterProcess


def _function(body, shape=(1, 4)):
    return tf.function(body).get_concrete_function(x=tf.TensorSpec(shape, name="x"))


def _double(x):
    return {"y": tf.quantization.fake_quant_with_min_max_args(x, 0, 1) * 2.0}


def _custom(x):
    return {"y": tf.raw_ops.Betainc(a=x, b=x, x=x)}  # TFLite has no such operator


def test_converter_that_crashes_is_an_error_that_names_form_and_signal() -> None:
    """Static int8 by calibration of a loop: the converter's own segmentation fault (TensorFlow 2.21)."""
    model = one_layer("gru")
    with pytest.raises(InputError, match=r"form: 'loop' \(static\).*SIGSEGV"):
        ptq(model, inputs(model, 32), "static", "loop")


def test_a_refused_graph_does_not_take_the_others_with_it() -> None:
    results = convert(
        [Job("bad", _function(_custom), "float32"), Job("good", _function(_double), "float32")], ["Betainc"]
    )
    assert isinstance(results["bad"], ConversionError)
    assert "Betainc" in str(results["bad"])
    assert "'bad'" in str(results["bad"])
    assert results["good"][4:8] == b"TFL3"


def test_a_crash_is_charged_to_its_own_job_and_the_rest_is_converted() -> None:
    model = one_layer("gru")
    from rnnedge_export.fused import float_function
    from rnnedge_export.twin import build_twin

    twin = build_twin(model)
    crash = Job("crash", float_function(twin), "static", "int8", samples=inputs(model, 8), keep=twin)
    results = convert([crash, Job("after", _function(_double), "float32")])
    assert "SIGSEGV" in str(results["crash"])
    assert results["after"][4:8] == b"TFL3"


def test_a_hang_ends_at_the_time_limit() -> None:
    results = convert([Job("slow", _function(_double), "float32")], time_limit_s=0.001)
    assert "took longer than" in str(results["slow"])


def test_the_process_is_kept_until_it_ends_and_then_begun_anew(tmp_path: Path) -> None:
    none, broken = tmp_path / "none.json", tmp_path / "broken.json"
    none.write_text("[]")
    broken.write_text("[")
    with ConverterProcess() as process:
        assert process.run(str(none), 600) == (None, "")
        first = process.pid
        assert process.run(str(none), 600) == (None, "")
        assert process.pid == first is not None
        started, reason = process.run(str(broken), 600)
        assert started is None
        assert "exit code 1" in reason
        assert "JSONDecodeError" in reason
        assert process.run(str(none), 600) == (None, "")
        second = process.pid
        assert second not in (None, first)
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)
    assert process.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)

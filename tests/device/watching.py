"""A sink for tests: calls a function with frame, prediction and line."""

from collections.abc import Callable
from typing import Any

from rnnedge_device.sinks import CallSink


def watch(function: Callable[[Any, Any, dict[str, Any]], object]) -> CallSink:
    return CallSink(lambda message: function(message.frame, message.prediction, message.line))

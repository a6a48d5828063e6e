"""Where results go."""

from rnnedge_device.sinks.lines import JsonLines, TextLines
from rnnedge_device.sinks.message import Message
from rnnedge_device.sinks.pictures import Film, OfCamera, VideoFile, Window
from rnnedge_device.sinks.recorder import Recorder
from rnnedge_device.sinks.sink import CallSink, DirectSink, Sink

__all__ = [
    "CallSink",
    "DirectSink",
    "Film",
    "JsonLines",
    "Message",
    "OfCamera",
    "Recorder",
    "Sink",
    "TextLines",
    "VideoFile",
    "Window",
]

"""Where results go."""

from rnnedge_device.sinks.lines import json_lines, text_lines
from rnnedge_device.sinks.pictures import Film, of_source, video_file, window
from rnnedge_device.sinks.sink import FrameSink as Sink

__all__ = ["Film", "Sink", "json_lines", "of_source", "text_lines", "video_file", "window"]

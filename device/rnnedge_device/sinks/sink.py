"""What every sink is: something that takes what a stream says."""

from collections.abc import Callable

from rnnedge_device.classify import Prediction
from rnnedge_device.events import Event
from rnnedge_device.source import Frame

# Called once for each line: a step, or (with the key `event`) the start or end of an event, or a finished caption.
# A clip model passes over some frames, and a caption takes several: such a frame comes with the prediction before
# it, or the words so far, and an empty `event`.
Sink = Callable[[Frame, Prediction, Event], None]

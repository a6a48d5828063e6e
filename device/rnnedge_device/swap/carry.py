"""Memory handed over: may a new model's stream go on where an old one's stands?"""

from typing import Any

from rnnedge_device.clip_stream import ClipStream


def carry(old: Any, new: Any) -> bool:
    """Hand a stream's memory to its successor. The old one is not to be fed any more.

    Between two clip streams the states go over, bit for bit, if they match (see `ClipStream.take_over`); in any
    case events that run go on or are ended, so that none is lost. Streams without a memory have nothing to hand over.

    Args:
        old, new: as the model's `open_stream` makes them, `new` not fed yet.

    Returns:
        Do the states go on?

    Example:
        stream = new_model.open_stream("door")
        carry(door, stream)
        door = stream
    """
    if isinstance(old, ClipStream) and isinstance(new, ClipStream):
        return new.take_over(old)
    return False

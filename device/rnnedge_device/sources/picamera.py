"""A camera at the Raspberry Pi's own port, through picamera2."""

import time

import numpy as np
from numpy.typing import NDArray

from rnnedge_device.errors import SourceError
from rnnedge_device.sources.camera_spec import CameraSpec

_SIZE, _FPS = (640, 480), 30.0  # where nothing else is asked for


class PicameraCapture:
    """A `Picamera2` in its video mode.

    Raises:
        SourceError: picamera2 is not installed, or there is no such camera.
    """

    def __init__(self, spec: CameraSpec) -> None:
        try:
            from picamera2 import Picamera2
        except ImportError:
            raise SourceError(
                f"source {spec.device!r}: needs picamera2; apt install python3-picamera2, and a virtual "
                "environment made with --system-site-packages"
            ) from None
        self.fps, self.skipped = spec.fps or _FPS, 0
        try:
            self._camera = Picamera2(int(spec.path.removeprefix("picamera")))
            # RGB888 is libcamera's name for what NumPy and OpenCV see as BGR.
            mode = self._camera.create_video_configuration(
                main={"size": spec.size or _SIZE, "format": "RGB888"}, controls={"FrameRate": self.fps}
            )
            self._camera.configure(mode)
            self._camera.start()
        except (IndexError, RuntimeError) as problem:
            raise SourceError(f"source {spec.device!r}: the camera cannot be opened: {problem}") from None

    def read(self) -> tuple[NDArray[np.uint8], float] | None:
        request = self._camera.capture_request()
        try:
            now, image = time.monotonic(), request.make_array("main")
            age_s = _age_s(request.get_metadata())
        finally:
            request.release()
        return image, now - age_s

    def close(self) -> None:
        self._camera.close()


def _age_s(metadata: dict[str, object]) -> float:
    """How long ago the sensor began the frame; its clock goes on while the machine sleeps, ours does not."""
    stamp = metadata.get("SensorTimestamp")
    if not isinstance(stamp, int):
        return 0.0
    age_s = (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - stamp) / 1e9
    return age_s if 0 <= age_s < 10 else 0.0

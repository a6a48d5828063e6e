"""A real RTSP camera on loopback: GStreamer's server in a process that can be killed, stopped and started again."""

import functools
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tiny_clips import write_film

_PYTHON = "/usr/bin/python3"  # the system's: its bindings are a package of the system
_NEEDED = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
assert all(Gst.ElementFactory.find(name) for name in ("qtdemux", "rtph264pay"))
"""


@functools.cache
def missing() -> str:
    """What is not installed here; "" where all is there."""
    if shutil.which("ffmpeg") is None:
        return "ffmpeg is not installed"
    if not Path(_PYTHON).exists() or subprocess.run([_PYTHON, "-c", _NEEDED], capture_output=True).returncode:
        return (
            "no RTSP server: python3-gi, gir1.2-gst-rtsp-server-1.0 and gstreamer1.0-plugins-good are wanted"
        )
    return ""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class RtspCamera:
    """A context manager: the camera is on. Its film, of H.264, goes on for longer than a test.

    Args:
        folder: for the film.
        login: a user and password that it asks for.
    """

    def __init__(self, folder: Path, login: tuple[str, str] | tuple[()] = ()) -> None:
        drawn, once, self._film = (
            write_film(folder / "drawn.avi", 30),
            folder / "once.mp4",
            folder / "film.mp4",
        )
        ffmpeg = ["ffmpeg", "-loglevel", "error", "-nostdin"]
        encoded = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "15", "-bf", "0"]
        subprocess.run([*ffmpeg, "-i", drawn, *encoded, once], check=True, timeout=60)
        subprocess.run(
            [*ffmpeg, "-stream_loop", "200", "-i", once, "-c", "copy", self._film], check=True, timeout=60
        )
        self._login, self._port = login, free_port()
        self.url = f"rtsp://{':'.join(login) + '@' if login else ''}127.0.0.1:{self._port}/door"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "RtspCamera":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def start(self) -> None:
        """Switch it on; it listens when this returns."""
        program = Path(__file__).with_name("rtsp_server.py")
        command = [_PYTHON, str(program), str(self._port), str(self._film), *self._login]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """Pull its plug."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def hang(self) -> None:
        """Let it do nothing: connections stay, and new ones are taken by the kernel."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

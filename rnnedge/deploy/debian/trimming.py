"""What wheels bring and a device that runs bundles never opens."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# (what it is, which paths): the first that fits counts.
_RULES = (
    ("LiteRT's GPU accelerator", r"ai_edge_litert/lib.*(Accelerator|Dispatch).*\.so"),
    ("LiteRT's converter and tools", r"ai_edge_litert/(aot|tools|tflite/converter|.*converter|.*_pb2\.py).*"),
    ("LiteRT's compiler for other chips", r"ai_edge_litert/vendors/.*"),
    ("OpenCV's face detectors", r"cv2/data/.*\.xml"),
    ("tests", r"(.*/)?(tests?|testing)/.*"),
    (
        "NumPy's tools for builders",
        r"numpy/(f2py|distutils|core/include|core/lib|random/lib|_pyinstaller|doc|array_api)/.*",
    ),
    ("sources, headers and types", r".*\.(pyi|pxd|pyx|c|h|hpp|cpp|a|hash)|.*/py\.typed"),
    ("packages that only tools import", r"(tqdm|google|protobuf|pycparser)(/.*|-.*)"),
    (
        "lists of installed files",
        r"[^/]+\.dist-info/(RECORD|WHEEL|INSTALLER|REQUESTED|entry_points\.txt|top_level\.txt|zip-safe|direct_url\.json|sboms/.*)",
    ),
    ("compiled Python", r".*\.pyc"),
)
_COMPILED = [(what, re.compile(rule)) for what, rule in _RULES]


@dataclass
class Trimmed:
    """Counts what was left out.

    Args:
        bytes: unpacked, by what it was.
    """

    bytes: dict[str, int] = field(default_factory=dict)

    def keeps(self, path: str, size: int) -> bool:
        """Does a device need the file? If not, its bytes are counted."""
        for what, rule in _COMPILED:
            if rule.fullmatch(path):
                self.bytes[what] = self.bytes.get(what, 0) + size
                return False
        return True

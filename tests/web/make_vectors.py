"""Writes what the web tests compare with: `make_vectors.py BUNDLES OUT`, BUNDLES as of `make_bundles.py`."""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from parity import add_parity, digits
from vectors import Vectors, add_all

from rnnedge_device.bundle import sign_bundle
from rnnedge_device.signature import PrivateKey


def add_signed(vectors: Vectors, path: Path) -> None:
    """A bundle, the same signed, and the key's digits."""
    with TemporaryDirectory() as folder:
        key, signed = PrivateKey.new(Path(folder) / "own"), Path(folder) / "signed.rnnedge"
        shutil.copy(path, signed)
        sign_bundle(signed, key)
        plain, after = (np.frombuffer(one.read_bytes(), np.uint8) for one in (path, signed))
    vectors.add(
        "signed",
        plain=vectors.keep(plain),
        signed=vectors.keep(after),
        key=key.public.raw.hex(),
        id=key.public.id,
    )


def main(bundles: Path, out: Path) -> None:
    vectors = Vectors()
    add_all(vectors)
    add_signed(vectors, bundles / "row.rnnedge")
    for path in sorted(bundles.glob("*.rnnedge")):
        add_parity(vectors, path.stem, path, digits() if path.stem == "row" else None)
    vectors.write(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Writes what the web tests compare with: `make_vectors.py BUNDLES OUT`, BUNDLES as of `make_bundles.py`."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from parity import add_parity, digits
from vectors import Vectors, add_all

from rnnedge_device.bundle import read_bundle, sign_bundle, write_bundle
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


def add_bundle(vectors: Vectors, path: Path) -> None:
    """A bundle as it is; of a row model with several forms, each that a browser runs."""
    bundle = read_bundle(path)
    if bundle.manifest.task != "classify":
        return add_parity(vectors, path.stem, path)
    frames = digits() if path.stem in ("row", "forms") else None
    # The page takes the first form that it can run: the bundle as it is, then copies in which another one is the first.
    first, *others = [form for form in bundle.manifest.forms if form.name != "fused"]
    add_parity(vectors, path.stem, path, frames, first.name)
    for form in others:
        forms = (form, *(one for one in bundle.manifest.forms if one is not form))
        with TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            write_bundle(copy, replace(bundle.manifest, forms=forms), bundle.members)
            add_parity(vectors, f"{path.stem}, {form.name}", copy, frames, form.name)


def main(bundles: Path, out: Path) -> None:
    vectors = Vectors()
    add_all(vectors)
    add_signed(vectors, bundles / "row.rnnedge")
    for path in sorted(bundles.glob("*.rnnedge")):
        add_bundle(vectors, path)
    vectors.write(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

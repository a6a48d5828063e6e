"""Writes everything the web tests compare with: `make_vectors.py BUNDLES OUT`, BUNDLES as `make_bundles.py` makes them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from parity import add_parity, digits
from vectors import Vectors, add_all


def main(bundles: Path, out: Path) -> None:
    vectors = Vectors()
    add_all(vectors)
    for path in sorted(bundles.glob("*.rnnedge")):
        add_parity(vectors, path.stem, path, digits() if path.stem == "row" else None)
    vectors.write(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

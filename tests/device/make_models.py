"""Makes every tiny model of the device tests: `make_models.py OUT`. One process, so TensorFlow loads once."""

import sys
from pathlib import Path

import tiny_caption_model
import tiny_clip_model
import tiny_model

if __name__ == "__main__":
    tiny_model.main(Path(sys.argv[1]))
    tiny_clip_model.main(Path(sys.argv[1]))
    tiny_caption_model.main(Path(sys.argv[1]))

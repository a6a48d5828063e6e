"""``scene_threshold``: what a scene-cut detector takes for a new scene, from differences that are none and that are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rnnedge_device.scene import SceneCut

# A false cut costs the memory: a cut must be rarer than this within scenes, and found more often than this between.
MAX_FALSE, MIN_HIT = 0.001, 0.5
MARGIN = 1.02


def scene_threshold(
    within: Sequence[float], between: Sequence[float]
) -> tuple[SceneCut | None, dict[str, Any]]:
    """A threshold above nearly every difference ``within`` a scene and below most ``between`` scenes.

    Returns:
        The detector's parameter and ``{"threshold", "false_rate", "hit_rate", "within", "between"}`` (rates, and how
        many pairs of frames they were measured on); None where the two cannot be told apart.
    """
    if len(within) < 2 or len(between) < 2:
        return None, {"threshold": None, "within": len(within), "between": len(between)}
    # Above the ordinary changes, and half-way (in ratio) to the cuts where there is room between them.
    calm = max(float(np.quantile(within, 1 - MAX_FALSE, method="higher")), 1e-6)
    threshold = min(max(calm * MARGIN, float(np.sqrt(calm * np.quantile(between, 0.1)))), 1.0)
    figures = {
        "threshold": round(threshold, 6),
        "false_rate": float(np.mean(np.array(within) > threshold)),
        "hit_rate": float(np.mean(np.array(between) > threshold)),
        "within": len(within),
        "between": len(between),
    }
    if figures["hit_rate"] < MIN_HIT or figures["false_rate"] > MAX_FALSE:
        return None, {**figures, "threshold": None}
    return SceneCut(round(threshold, 6)), figures

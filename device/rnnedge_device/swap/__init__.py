"""Another bundle while the runner runs: tried in a process of its own, loaded beside, switched, and back if need be."""

from rnnedge_device.swap.carry import carry
from rnnedge_device.swap.checker import Check, Checker
from rnnedge_device.swap.deployment import Change, Deployment, SwapRules
from rnnedge_device.swap.last_good import LastGood
from rnnedge_device.swap.loaded import LoadedBundle, prepare
from rnnedge_device.swap.watch import FileWatch

__all__ = [
    "Change",
    "Check",
    "Checker",
    "Deployment",
    "FileWatch",
    "LastGood",
    "LoadedBundle",
    "SwapRules",
    "carry",
    "prepare",
]

"""What Home Assistant is told, so that a camera's entities appear by themselves."""

import json
import re
import zlib
from typing import Any

_PROBLEMS = ("lost", "hung", "black", "frozen", "gave_up")
_EVENT = (
    "{{ {'event_type': value_json.event, 'label': value_json.label, 'score': value_json.score} | tojson }}"
)
# Other news about health, as a model that was swapped, leave the state as it is: an empty answer changes nothing.
_PROBLEM = (
    "{{ 'ON' if value_json.health in "
    + repr(list(_PROBLEMS))
    + " else 'OFF' if value_json.health == 'recovered' }}"
)
_ENTITIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "step": ("sensor", "Label", {"value_template": "{{ value_json.label }}", "icon": "mdi:tag"}),
    # A state of Home Assistant has 255 characters at most.
    "caption": ("sensor", "Caption", {"value_template": "{{ value_json.label[:255] }}", "icon": "mdi:text"}),
    "event": ("event", "Event", {"event_types": ["start", "end"], "value_template": _EVENT}),
    "health": (
        "binary_sensor",
        "Problem",
        {"value_template": _PROBLEM, "device_class": "problem", "entity_category": "diagnostic"},
    ),
}


def announcement(prefix: str, topic: str, camera: str, kind: str) -> tuple[str, bytes]:
    """The topic and the retained payload that announce one entity.

    Args:
        prefix: Home Assistant's discovery prefix, `homeassistant` where nobody changed it.
        topic: the runner's.
        camera: its name.
        kind: of the lines the entity shows, see `Message.kind`.
    """
    component, name, about = _ENTITIES[kind]
    device = _identifier(f"{topic}-{camera}")
    lines = camera_topic(topic, camera, kind)
    config: dict[str, Any] = {
        "name": name,
        "unique_id": f"{device}-{kind}",
        "state_topic": lines,
        "availability_topic": f"{topic}/availability",
        "device": {
            "identifiers": [device],
            "name": camera,
            "manufacturer": "rnnedge",
            "model": "rnnedge-run",
        },
        "origin": {"name": "rnnedge"},
        **about,
    }
    if kind != "event":  # whose template gives the attributes itself
        config["json_attributes_topic"] = lines
    return f"{prefix}/{component}/{device}/{kind}/config", json.dumps(config).encode()


def camera_topic(topic: str, camera: str, kind: str) -> str:
    """Where a camera's lines of one kind go: `TOPIC/CAMERA/KIND`."""
    # What means something in topics is written as in addresses: two cameras never share a topic.
    plain = re.sub(r"[/+#%\0]", lambda found: f"%{ord(found[0]):02X}", camera)
    return f"{topic}/{plain}/{kind}"


def _identifier(name: str) -> str:
    """`name` in the letters that Home Assistant takes, still unlike any other name's."""
    plain = re.sub(r"[^a-zA-Z0-9_-]", "_", name)
    return plain if plain == name else f"{plain}-{zlib.crc32(name.encode('utf-8', 'replace')):08x}"

"""The sections of a config that belong to other parts: sinks and web view. Each is imported when a config has it."""

import importlib
from dataclasses import dataclass
from typing import Any

from rnnedge_device.extras import load_extra


@dataclass(frozen=True, slots=True)
class Section:
    """Where a section's options and what is made of them are.

    Args:
        name: the key in the config.
        module: inside `rnnedge_device`.
        model: the class of the options, a pydantic model, in `module` or in `options_module`.
        factory: what is called to make it, in `module`: a sink as `factory(options, name)`.
        many: may there be several, `[[NAME]]`?
        options_module: where the options are, if elsewhere.
    """

    name: str
    module: str
    model: str
    factory: str
    many: bool = False
    options_module: str = ""

    def options(self) -> Any:
        """The class of the options. InputError where a package that it needs is missing."""
        return self._find(self.options_module or self.module, self.model)

    def make(self, *arguments: Any) -> Any:
        """What the section is about, such as `make(options, name)` of a sink. InputError where a package that it needs
        is missing, or an option cannot be used."""
        return self._find(self.module, self.factory)(*arguments)

    def _find(self, module: str, attribute: str) -> Any:
        load_extra("pydantic", self.name)
        return getattr(importlib.import_module(f"rnnedge_device.{module}"), attribute)


SECTIONS = {
    section.name: section
    for section in (
        Section("jsonl", "sinks.rotating", "JsonlOptions", "RotatingLines"),
        Section("mqtt", "sinks.mqtt", "MqttOptions", "MqttSink"),
        Section("webhook", "sinks.webhook", "WebhookOptions", "Webhook", many=True),
        Section("clips", "sinks.event_clips", "ClipsOptions", "EventClips"),
        Section("web", "web.server", "WebOptions", "WebServer", options_module="web.options"),
    )
}

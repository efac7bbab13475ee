"""The history of this room's tables."""

MODELS = [
    "device_registry.devices.models",
    "device_registry.access.models",
    "device_registry.journal.models",
]

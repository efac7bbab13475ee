"""The history of the tables every room shares."""

MODELS = ["foundation.models"]

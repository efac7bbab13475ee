"""Emulated door stations: the behaviour of a real one, any number of them, for tests and demos."""

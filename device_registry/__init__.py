"""Stations: registration, presence, commands, access lists and their journal."""

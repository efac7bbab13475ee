"""Zones, buildings, units and houses: the tree of places below a community."""

"""Communities, buildings, units and houses."""

"""Who lives where, and so may open which doors from afar."""

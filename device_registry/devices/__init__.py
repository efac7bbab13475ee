"""The list of stations: how one is registered, whether it is here, how it is told to open."""

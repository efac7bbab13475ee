"""The HTTP face: accounts, places, devices and everything residents and staff do."""

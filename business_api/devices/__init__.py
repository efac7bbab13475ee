"""Stations as staff and residents see them, and the HTTP door for the stations themselves."""

"""Organisations, as far as slices above them are needed: deleting them, adding many by Excel."""

"""Deleting an organisation: only when nothing of any slice is left in it."""

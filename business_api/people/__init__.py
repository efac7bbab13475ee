"""Persons and their data: sealed, masked, revealed with a reason, erased."""

"""Calls: the visitor rings, residents answer, a telephone as last resort.

Comes with *The visitor rings*.
"""

"""Measurements and alarms (heartbeat history, alarm state). Comes with *Watched*."""

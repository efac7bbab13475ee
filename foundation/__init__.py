"""What every room stands on: settings, database, wake-ups, security, the wire. Knows no rule."""

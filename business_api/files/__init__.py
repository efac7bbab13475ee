"""Files people send: what they are is found out, not believed; stored, linked, forgotten."""

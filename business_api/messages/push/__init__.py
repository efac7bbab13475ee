"""Web Push: messages to browsers that are not open (RFC 8030), which only they can read.

Not with `pywebpush`: it brings two HTTP clients that choose the address they connect to by
themselves, and what it does for us is the forty lines of `encryption`.
"""

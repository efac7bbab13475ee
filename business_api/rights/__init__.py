"""What an account may do where, and why: for screens, and for whoever has to answer for it.

Decisions are those of `authz`; this package stands above places and residents, because it
calls places by their names and knows who lives in them.
"""

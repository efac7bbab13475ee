"""Reading who did what, within one's own part of the tenant tree."""

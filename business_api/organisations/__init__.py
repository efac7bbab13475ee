"""The tenants: operators, property companies, communities (BR1, BR26)."""

"""Who may do what where: one decision (`decide`), asked by everything."""

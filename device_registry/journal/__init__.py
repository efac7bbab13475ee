"""What stations say has happened."""

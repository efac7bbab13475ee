"""房屋认证: how somebody with an account becomes a resident of a house (F26, F42, BR4, BR5)."""

"""The gate and the two lanes behind it: who may log in, and how messages reach stations."""

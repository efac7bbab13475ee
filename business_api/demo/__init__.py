"""Demo data: small enough to look through, with everything in it. `linli demo`, `make run`."""

"""What stations and platform say to each other: models and signatures, no I/O."""

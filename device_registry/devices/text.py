"""Text that people and boxes hand in, before it is stored or shown."""


def printable(text: str) -> str:
    """`text` without line breaks, control characters and what turns the order of letters."""
    return "".join(letter for letter in text if letter.isprintable())

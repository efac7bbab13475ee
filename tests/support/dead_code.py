"""`make check`: nothing in the product is there that nobody uses (vulture).

Fields of tables, bodies, messages and settings are declared for others to read: those are left
out. What frameworks call by name is listed in `tests/dead_code_allowed.py`, with the reason.
"""

import re
import sys
from collections.abc import Iterator

from vulture import Vulture

from tests.support.sizes import PRODUCT, ROOT

ALLOWED = ROOT / "tests" / "dead_code_allowed.py"
DECLARATIONS = re.compile(r"models\.py$|schemas\.py$|foundation/wire/|settings\.py$|/migrations/")
CALLED_BY_NAME = ("@router.*", "@app.*", "@*.command", "@*.callback", "@*_validator", "@typer.*")


def unused() -> Iterator[str]:
    """One line for each."""
    found = Vulture(ignore_names=["model_config", "Meta"], ignore_decorators=list(CALLED_BY_NAME))
    found.scavenge([str(ROOT / folder) for folder in PRODUCT] + [str(ALLOWED)])
    for item in found.get_unused_code(min_confidence=60):
        path = item.filename.relative_to(ROOT)
        declared = item.typ in ("variable", "class") and DECLARATIONS.search(str(path))
        if not declared and path != ALLOWED.relative_to(ROOT):
            yield f"{path}:{item.first_lineno}: nobody uses {item.typ} {item.name}"


if __name__ == "__main__":
    lines = list(unused())
    print(*lines, sep="\n", end="\n" if lines else "")
    sys.exit(1 if lines else 0)

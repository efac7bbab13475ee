"""`make check`: no file of the product is longer than 300 lines, no function than 50.

Docstrings do not count for a function: to explain is never too long. A file of tests may have
twice as many lines: it is a list, not something to be held in the head at once.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = (
    "foundation",
    "broker",
    "device_registry",
    "telemetry",
    "sip_bridge",
    "business_api",
    "device_emulator",
)
FILE, TESTS, FUNCTION = 300, 600, 50


def too_long() -> Iterator[str]:
    """One line for each that is."""
    for folder in (*PRODUCT, "tests", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.parent.name == "migrations" and path.name[0].isdigit():
                continue  # generated
            text = path.read_text()
            lines = text.count("\n")
            most = TESTS if folder == "tests" else FILE
            if lines > most:
                yield f"{path.relative_to(ROOT)}: {lines} lines, at most {most}"
            if folder in PRODUCT:
                for name, line, length in functions(ast.parse(text)):
                    if length > FUNCTION:
                        where = f"{path.relative_to(ROOT)}:{line}"
                        yield f"{where}: {name} has {length} lines, at most {FUNCTION}"


def functions(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Name, first line and length of every function, without its docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                length -= (first.end_lineno or first.lineno) - first.lineno + 1
            yield node.name, node.lineno, length


if __name__ == "__main__":
    found = list(too_long())
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(1 if found else 0)

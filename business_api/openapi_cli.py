"""`linli openapi`: the API's description as a file, and whether the file is that of the code."""

import json
from pathlib import Path
from typing import Annotated

import typer

from business_api.app import create_app
from foundation.errors import DomainError, Kind
from foundation.runner import Context
from foundation.security import KEY_BYTES, Keyring
from foundation.settings import Settings

app = typer.Typer()


class OpenapiDrift(DomainError):
    """The file is not what the code says."""

    kind, code, title = Kind.CONFLICT, "openapi-drift", "openapi.json does not fit the code"
    title_zh = "openapi.json 与代码不一致"


def document() -> str:
    """The OpenAPI document as the file holds it. Settings and keys have no part in it."""
    application = create_app(Context(Settings.model_construct(), Keyring(bytes(KEY_BYTES))))
    return json.dumps(application.openapi(), ensure_ascii=False, indent=2) + "\n"


@app.command()
def openapi(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if the file differs.")
    ] = False,
    out: Annotated[Path, typer.Option(help="The file.")] = Path("openapi.json"),
) -> None:
    """Write openapi.json."""
    text = document()
    if not check:
        out.write_text(text, encoding="utf-8")
        print(f"{out}: {text.count('operationId')} operations")
        return
    if not out.exists() or out.read_text(encoding="utf-8") != text:
        raise OpenapiDrift(f"{out}: run `linli openapi`")
    print(f"{out} is up to date.")

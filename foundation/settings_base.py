"""What a group of settings is."""

from pydantic import BaseModel, ConfigDict


class Group(BaseModel):
    """A frozen group of settings; a typo in one is an error, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

"""amqtt as it comes, with ordinary authentication and access rules: `… plain_amqtt PORT`."""

import asyncio
import sys
from dataclasses import dataclass

import uvloop
from amqtt.broker import Broker
from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session


class Passwords(BaseAuthPlugin):
    """One password for all: the cheapest check there is."""

    @dataclass
    class Config:
        """No settings."""

    async def authenticate(self, *, session: Session) -> bool:
        """Whether the password is right."""
        return session.password == "tok"


class OwnTopics(BaseTopicPlugin):
    """Everybody to its own subtree, the platform to all."""

    @dataclass
    class Config:
        """No settings."""

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: Action | None = None,
    ) -> bool:
        """Whether `session` may."""
        if session is None or topic is None:
            return False
        return session.username == "platform" or topic.startswith(f"v1/{session.username}/")


async def main(port: int) -> None:
    """Serve until killed."""
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {f"{__name__}.Passwords": {}, f"{__name__}.OwnTopics": {}},
        }
    )
    await broker.start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import benchmarks.plain_amqtt as module  # amqtt finds plug-ins by import path

    uvloop.run(module.main(int(sys.argv[1])))

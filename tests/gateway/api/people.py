"""People and machines for tests of who may do what: a gateway with accounts, watching two enterprises' things."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config.plant.load import read_plant
from config.settings import AccessSettings
from gateway.access.accounts import Accounts
from gateway.access.roles import Role, Scope
from gateway.access.sessions import Sessions
from gateway.api.guard import AccountGate
from gateway.commands import By
from gateway.records.database import open_reader
from tests.gateway.api.world import World, make_world
from tests.support.plants import MINI_PLANT

__all__ = ["ACME", "BRAVO", "DISTRICT", "EVERYTHING", "House", "make_house"]

EVERYTHING = Scope()
ACME = Scope(enterprises=frozenset({"acme"}))
"""The plant's own enterprise: tank farm and vehicles."""
BRAVO = Scope(enterprises=frozenset({"bravo"}))
"""Who runs the chlorine store on the same site."""
DISTRICT = Scope(districts=frozenset({"370305"}))
"""Where the chlorine store lies."""

TWO_ENTERPRISES = MINI_PLANT.replace(
    "cas: 7782-50-5}", "cas: 7782-50-5, enterprise: bravo, district: '370305'}"
).replace('en: "Test enterprise"}}', 'en: "Test enterprise"}, district: "370304"}')


@dataclass
class House:
    """A gateway that asks who one is."""

    world: World
    accounts: Accounts
    sessions: Sessions

    def token(self, role: Role, scope: Scope = EVERYTHING) -> dict[str, str]:
        """Return the headers of a new machine."""
        name = f"m{len(self.sessions.tokens())}"
        return {"Authorization": f"Bearer {self.sessions.make_token(name, role, scope, 1, By('test'))}"}


def make_house(folder: Path) -> Iterator[House]:
    """Yield a world with accounts."""
    for world in make_world(folder, read_plant(TWO_ENTERPRISES, "two.yaml")):
        reader = open_reader(folder)
        accounts = Accounts(world.engine, reader, world.clock)
        sessions = Sessions(accounts, world.engine, reader, world.clock, AccessSettings())
        world.gate = AccountGate(sessions)
        yield House(world, accounts, sessions)
        reader.dispose()

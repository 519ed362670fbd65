"""Callers with credentials of their own: no order of happenings makes another sign for them."""

import random

from dragoman.errors import OwnKeyNeeded
from dragoman.guests import Guest, GuestsOnly
from dragoman.pool.broker import Broker, PoolLimits
from dragoman.providers.base import Credential
from dragoman.sides import Target
from dragoman.upstream import Upstream
from support.exchange_answers import REQUESTS
from support.exchange_fakes import FakeOrigin, FakeProvider, FakeSigner
from support.exchange_world import World
from support.scale import scaled

HAPPENINGS = scaled(4_000, 100_000)
OWNERS = ("own-a", "own-b", "own-c")


class NamedSigner(FakeSigner):
    """Signs with the name of its owner."""

    def __init__(self, owner):
        super().__init__()
        self.line = f"authorization: Bearer {owner}\r\n".encode()

    def authorization(self):
        return self.line if self.is_fresh else None


class WatchfulOrigin(FakeOrigin):
    """The text of a request names its caller, its head must do so too."""

    def __init__(self):
        super().__init__()
        self.calls = 0
        self.crossed = []

    def send(self, call, listener):
        body = b"".join(call.body)
        said = [owner for owner in OWNERS if f"<{owner}>".encode() in body]
        signed = call.head.rpartition(b"Bearer ")[2].strip().decode()
        self.calls += 1
        if said != ([signed] if signed in OWNERS else []):
            self.crossed.append((said, signed))
        return super().send(call, listener)


class WorldOfGuests(World):
    """Some callers use what the gateway has, others what they have brought."""

    def __init__(self, choose):
        super().__init__(choose)
        for name, target in list(self.targets.items()):
            watching = self.origins[name[0]] = WatchfulOrigin()
            target.side.origin = watching
        self.origins["c"] = WatchfulOrigin()
        nobody = Broker("c", (), self.clock, self.clock.wheel, soon=self.soon.append)
        self.way = Upstream(FakeProvider("c", []), nobody, self.origins["c"])
        self.own = [self._guest(owner) for owner in OWNERS]

    def _guest(self, owner):
        signer = NamedSigner(owner)
        self.signers.append(signer)
        credential = Credential(f"c/{owner}", signer, "use another")
        limits = PoolLimits(in_flight=1, max_queue=3, max_wait=20.0, disables=False)
        broker = Broker(
            "c", (credential,), self.clock, self.clock.wheel, limits, soon=self.soon.append
        )
        broker.strict = True
        self.brokers[owner] = broker
        return Guest(owner, credential, broker, self.way)

    def arrive(self):
        if self.choose(3) == 0:
            super().arrive()
            return
        guest = self.own[self.choose(len(self.own))]
        document = REQUESTS[self.choose(len(REQUESTS))] | {"model": "asked"}
        messages = [*document["messages"], {"role": "user", "content": f"<{guest.name}>"}]
        models = ["gigachat", "openai_chat"]
        targets = [Target(f"c/{model}", model, guest) for model in models]
        plan = [targets[self.choose(2)] for _ in range(1 + self.choose(3))]
        self.ask({**document, "messages": messages}, plan)


def test_no_order_of_happenings_lends_a_caller_anothers_credential():
    done = seed = 0
    while done < HAPPENINGS:
        source = random.Random(seed)
        seed += 1
        world = WorldOfGuests(source.randrange)
        for _ in range(400):
            world.step()
        world.drain()
        world.check_over()
        assert world.origins["c"].calls
        assert [origin.crossed for origin in world.origins.values()] == [[], [], []]
        assert all(guest.broker.snapshot().disabled == 0 for guest in world.own)
        done += world.count


def test_where_only_guests_are_served_others_go_on_or_are_told_so():
    world = World(lambda below: 0)
    broker = Broker("g", (), world.clock, world.clock.wheel, soon=world.soon.append)
    closed = Target("g/m", "gigachat", GuestsOnly(FakeProvider("g", []), broker, FakeOrigin()))
    told = world.ask(REQUESTS[0] | {"model": "asked"}, [closed, closed, closed])
    assert isinstance(told.outcomes[0].error, OwnKeyNeeded)
    assert told.client.answer.status == 401
    served = world.ask(REQUESTS[0] | {"model": "asked"}, [closed, world.targets["a/openai_chat"]])
    world.drain()
    world.check_over()
    assert served.outcomes[0].target == "a/openai_chat"
    assert served.outcomes[0].attempts == 1

"""What is kept of callers who bring credentials: bounds, identities, and who is asked."""

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dragoman import errors
from dragoman.accounts.users import ANYONE, Keyring
from dragoman.dialects import gigachat
from dragoman.guests import Guests, Keeping, Reception, own
from dragoman.pool.broker import Broker, PoolLimits
from dragoman.pool.leases import Lease
from dragoman.providers.base import Credential, Proof, Secret
from dragoman.providers.gigachat_credentials import read_brought
from dragoman.routing import Route, Router
from support.fake_clock import FakeClock
from support.waiters import RecordingWaiter


class Signer:
    def __init__(self):
        self.is_stopped = False

    def stop(self):
        self.is_stopped = True


class Hosts:
    name = "giga"

    def __init__(self):
        self.made = []

    def own_credential(self, identity, proof):
        if proof.way == "user":
            raise errors.InvalidRequest("no passwords here")
        self.made.append(Credential(identity, Signer(), "use another"))
        return self.made[-1]

    async def models_of(self, credential):
        if "refused" in credential.id:
            raise gigachat.UPSTREAM.read_error(401, {}, b"")
        return ("GigaChat-2",)


class Rooms:
    """Guests of one provider on a clock held still."""

    def __init__(self, most=2, idle=100.0):
        self.clock = FakeClock()
        self.hosts = Hosts()
        self.guests = Guests(
            self.hosts,
            None,
            self.open_pool,
            Keeping(most=most, idle=idle),
            clock=self.clock,
            wheel=self.clock.wheel,
        )

    def open_pool(self, credential, proof):
        limits = PoolLimits(in_flight=1, disables=False)
        return Broker("giga", (credential,), self.clock, self.clock.wheel, limits)

    def enter(self, name):
        return self.guests.enter(name, Proof("token", Secret(name)))

    def running(self):
        return [one.id for one in self.hosts.made if not one.signer.is_stopped]


def test_the_least_recently_used_goes_first_and_its_tokens_are_renewed_no_more():
    rooms = Rooms(most=2)
    a, b = rooms.enter("a"), rooms.enter("b")
    rooms.guests.leave(a)
    rooms.guests.leave(b)
    assert rooms.enter("a") is a
    rooms.guests.leave(a)
    rooms.guests.leave(rooms.enter("c"))
    assert rooms.running() == ["giga/a", "giga/c"]
    assert rooms.enter("b") is not b
    assert rooms.guests.dismissed == 1


def test_who_has_a_request_under_way_is_never_dismissed():
    rooms = Rooms(most=1)
    busy = [rooms.enter(f"busy-{number}") for number in range(5)]
    for number in range(5):
        rooms.guests.leave(rooms.enter(f"passing-{number}"))
    rooms.clock.advance(1000)
    assert (rooms.guests.busy, rooms.guests.idle) == (5, 0)
    assert [rooms.enter(f"busy-{number}") for number in range(5)] == busy


def test_the_idle_are_dismissed_when_their_time_is_up_by_one_timer():
    rooms = Rooms(most=10, idle=100)
    for name in "abc":
        rooms.guests.leave(rooms.enter(name))
        rooms.clock.advance(40)
    assert len(rooms.clock.wheel) == 1
    assert rooms.running() == ["giga/b", "giga/c"]
    held = rooms.enter("b")
    rooms.clock.advance(200)
    assert rooms.running() == ["giga/b"]
    rooms.guests.leave(held)
    rooms.clock.advance(99)
    assert rooms.running() == ["giga/b"]
    rooms.clock.advance(2)
    assert rooms.running() == []
    assert len(rooms.clock.wheel) == 0


async def test_each_guest_has_a_pool_of_its_own():
    rooms = Rooms()
    a, b = rooms.enter("a"), rooms.enter("b")
    first = a.acquire("x", RecordingWaiter(), frozenset())
    assert isinstance(first, Lease)
    assert not isinstance(a.acquire("x", RecordingWaiter(), frozenset()), Lease)
    other = b.acquire("x", RecordingWaiter(), frozenset())
    assert isinstance(other, Lease)
    assert other.credential is b.credential
    first.release(errors.OwnKeyRejected("no"))
    other.release(errors.OwnKeyOutOfCredit("no"))
    assert a.broker.snapshot().disabled == b.broker.snapshot().disabled == 0
    first_again = rooms.enter("a")
    assert first_again is a


def test_a_refused_kind_of_proof_leaves_nothing_behind():
    rooms = Rooms()
    with pytest.raises(errors.InvalidRequest):
        rooms.guests.enter("a", Proof("user", Secret("u:p")))
    assert (rooms.guests.busy, rooms.guests.idle) == (0, 0)


async def test_closing_stops_everything():
    rooms = Rooms()
    rooms.enter("a")
    rooms.guests.leave(rooms.enter("b"))
    rooms.guests.close()
    assert rooms.running() == []
    assert len(rooms.clock.wheel) == 0


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes and goes: the bound holds, and what is in use stays what it is."""

    def __init__(self):
        super().__init__()
        self.rooms = Rooms(most=3, idle=50)
        self.inside = []

    @rule(name=st.sampled_from("abcdefgh"))
    def enter(self, name):
        self.inside.append((name, self.rooms.enter(name)))

    @precondition(lambda self: self.inside)
    @rule(data=st.data())
    def leave(self, data):
        index = data.draw(st.integers(0, len(self.inside) - 1))
        self.rooms.guests.leave(self.inside.pop(index)[1])

    @rule(seconds=st.floats(0.1, 60))
    def wait(self, seconds):
        self.rooms.clock.advance(seconds)

    @invariant()
    def holds(self):
        guests = self.rooms.guests
        assert guests.idle <= 3
        assert guests.busy == len({name for name, _ in self.inside})
        assert len({id(guest) for _, guest in self.inside}) == guests.busy
        assert not any(guest.credential.signer.is_stopped for _, guest in self.inside)
        assert len(self.rooms.running()) == guests.busy + guests.idle
        assert len(self.rooms.clock.wheel) <= 1


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def reception(*keys, guests=None, **choices):
    return Reception(Keyring(keys), guests or {"giga": Rooms().guests}, read_brought, **choices)


def test_one_credential_is_one_caller_however_it_is_written():
    desk = reception()
    spellings = [b"giga-cred-abcd", b"giga-cred-abcd:PERS", b"giga-cred-abcd:GIGACHAT_API_PERS"]
    names = {desk.admit((one,))[0].id for one in spellings}
    assert len(names) == 1
    assert "abcd" not in names.pop()
    others = [b"giga-cred-abcd:B2B", b"giga-auth-abcd", b"giga-user-ab:cd", b"giga-cred-abcD"]
    assert len({desk.admit((one,))[0].id for one in others}) == 4


def test_names_differ_from_process_to_process():
    assert reception().admit((b"giga-auth-x",))[0] != reception().admit((b"giga-auth-x",))[0]


def test_who_brings_nothing_is_nobodys_guest():
    caller, visit = reception().admit(())
    assert (caller.id, visit) == (ANYONE, None)
    with pytest.raises(errors.OwnKeyNeeded):
        reception(is_for_guests_only=True).admit(())


ROUTER = Router({"both": [Route("giga", "G"), Route("other", "O")]}, ["giga", "other"])


@pytest.mark.parametrize(
    ("model", "only", "labels"),
    [
        ("both", None, ["giga/G"]),
        ("giga/G", None, ["giga/G"]),
        ("Anything", None, ["giga/Anything"]),
        ("a/b", None, ["giga/a/b"]),
        ("G", "giga", ["giga/G"]),
    ],
)
def test_a_visit_goes_to_its_own_providers_alone(model, only, labels):
    desk = reception()
    _, visit = desk.admit((b"giga-auth-x",))
    plan = visit.plan(ROUTER, model, only)
    assert [target.label for target in plan] == labels
    visit.over()
    visit.over()


@pytest.mark.parametrize(("model", "only"), [("other/O", None), ("O", "other")])
def test_elsewhere_a_visit_is_refused(model, only):
    _, visit = reception().admit((b"giga-auth-x",))
    with pytest.raises(errors.InvalidRequest, match="of the caller's own"):
        visit.plan(ROUTER, model, only)


def test_with_two_providers_a_bare_name_must_be_told_apart():
    rooms = {"giga": Rooms().guests, "second": Rooms().guests}
    router = Router({}, list(rooms))
    _, visit = reception(guests=rooms).admit((b"giga-auth-x",))
    with pytest.raises(errors.InvalidRequest, match="giga/M, second/M"):
        visit.plan(router, "M", None)
    router.learn("second", ["M"])
    assert [target.label for target in visit.plan(router, "M", None)] == ["second/M"]


@pytest.mark.parametrize(
    ("status", "kind", "seen"),
    [
        (401, errors.OwnKeyRejected, 401),
        (402, errors.OwnKeyOutOfCredit, 429),
        (403, errors.Forbidden, 403),
        (429, errors.UpstreamRateLimited, 429),
        (500, errors.UpstreamUnavailable, 502),
    ],
)
def test_what_is_said_against_a_credential_is_told_to_who_brought_it(status, kind, seen):
    error = own(gigachat.UPSTREAM.read_error(status, {}, b""), "use another")
    assert (type(error), error.status) == (kind, seen)
    assert own(error, "x") is error
    assert "operator" not in error.message
    if kind is errors.OwnKeyRejected:
        assert "use another" in error.message


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_with_a_reason(sent):
    for prefix in (b"", b"giga-", b"giga-cred-", b"giga-auth-", b"giga-user-"):
        said = "giga-user-"
        try:
            proof = read_brought(prefix + sent)
        except errors.InvalidRequest as error:
            said, proof = error.message, None
        assert "giga-user-" in said
        assert proof is None or proof.secret.reveal()


words = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1
)


@given(user=words, password=st.text(min_size=1).map(str.strip).filter(bool))
def test_users_are_split_at_the_first_colon(user, password):
    proof = read_brought(f"giga-user-{user}:{password}".encode("utf-8", "surrogatepass"))
    assert proof.way == "user"
    assert proof.secret.reveal().encode("utf-8", "surrogateescape") == (
        f"{user}:{password}".encode("utf-8", "surrogatepass")
    )


@given(
    key=st.from_regex(r"[A-Za-z0-9+/_-]{1,60}={0,2}", fullmatch=True),
    scope=st.sampled_from(["", ":PERS", ":b2b", ":GIGACHAT_API_CORP"]),
)
def test_keys_are_split_at_the_colon(key, scope):
    proof = read_brought(f"giga-cred-{key}{scope}".encode())
    assert (proof.way, proof.secret.reveal()) == ("key", key)
    assert (
        proof.scope
        == {
            "": "GIGACHAT_API_PERS",
            ":PERS": "GIGACHAT_API_PERS",
            ":b2b": "GIGACHAT_API_B2B",
            ":GIGACHAT_API_CORP": "GIGACHAT_API_CORP",
        }[scope]
    )


@given(words)
def test_tokens_are_taken_whole(token):
    proof = read_brought(f"giga-auth-{token}".encode())
    assert (proof.way, proof.secret.reveal(), proof.scope) == ("token", token, "")


async def test_listing_tells_a_refusal_only_where_nobody_serves():
    rooms = {"giga": Rooms().guests}
    desk = reception(guests=rooms)
    listed = await desk.listed((b"giga-auth-x",), Router({}, ["giga"]))
    assert listed == [("GigaChat-2", "giga")]
    rooms["giga"].hosts = SimpleNamespace(name="refused", own_credential=Hosts().own_credential)
    rooms["giga"].hosts.models_of = Hosts().models_of
    with pytest.raises(errors.OwnKeyRejected):
        await desk.listed((b"giga-auth-y",), Router({}, ["giga"]))
    assert rooms["giga"].busy == 0

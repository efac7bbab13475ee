"""Who may touch which topic: every rule, both ways."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.authority import Action, Device, Platform, ServiceAccount, covers, may, well_formed
from foundation.ids import Mac
from foundation.wire import topics

MAC, OTHER = Mac("02aabbccdd01"), Mac("02aabbccdd02")
STATION = Device(MAC, uuid4(), "C1", 1)
CONSOLE = ServiceAccount("console", ("site/#", "v1/#", "link/#", "#"), ("v1/+/up/#", "site/+"))
PUBLISH, SUBSCRIBE, RECEIVE = Action.PUBLISH, Action.SUBSCRIBE, Action.RECEIVE


@pytest.mark.parametrize(
    ("action", "topic", "allowed"),
    [
        (PUBLISH, topics.up(MAC, "hb"), True),
        (PUBLISH, topics.will(MAC), True),
        (PUBLISH, topics.up(OTHER, "hb"), False),
        (PUBLISH, topics.command(MAC), False),
        (PUBLISH, topics.down(MAC, "acl"), False),
        (PUBLISH, f"v1/{MAC}/up/c/x", False),
        (PUBLISH, f"v1/{MAC}/up/s/#", False),
        (PUBLISH, f"v1/{MAC}/up/s/a/b", False),
        (PUBLISH, f"/v1/{MAC}/up/s/a", False),
        (PUBLISH, f"v1/{MAC.upper()}/up/s/a", False),
        (PUBLISH, "$SYS/x", False),
        (PUBLISH, "", False),
        (SUBSCRIBE, topics.filters(MAC)[0][0], True),
        (SUBSCRIBE, topics.filters(MAC)[1][0], True),
        (SUBSCRIBE, topics.filters(OTHER)[0][0], False),
        (SUBSCRIBE, topics.command(MAC), False),
        (SUBSCRIBE, f"v1/{MAC}/#", False),
        (SUBSCRIBE, "v1/+/dn/c/#", False),
        (SUBSCRIBE, "#", False),
        (RECEIVE, topics.command(MAC), True),
        (RECEIVE, topics.down(MAC, "acl"), True),
        (RECEIVE, topics.command(OTHER), False),
        (RECEIVE, topics.up(MAC, "hb"), False),
    ],
)
def test_stations(action: Action, topic: str, allowed: bool) -> None:
    assert may(STATION, action, topic) is allowed


@pytest.mark.parametrize(
    ("action", "topic", "allowed"),
    [
        (PUBLISH, "site/lamp", True),
        (PUBLISH, "site", True),
        (PUBLISH, "anything", True),
        (PUBLISH, "$SYS/x", False),
        (PUBLISH, topics.command(MAC), False),  # whatever its scopes say
        (PUBLISH, topics.up(MAC, "hb"), False),
        (PUBLISH, "link/x", False),
        (PUBLISH, "site/+", False),
        (SUBSCRIBE, "v1/+/up/#", True),
        (SUBSCRIBE, f"v1/{MAC}/up/s/hb", True),
        (SUBSCRIBE, "v1/#", False),
        (SUBSCRIBE, "v1/+/dn/#", False),
        (SUBSCRIBE, "#", False),
        (SUBSCRIBE, "+/+/up/s", False),
        (SUBSCRIBE, "site/+", True),
        (SUBSCRIBE, "site/lamp", True),
        (SUBSCRIBE, "site/#", False),
        (SUBSCRIBE, "site/a+", False),
        (SUBSCRIBE, "link/#", False),
        (RECEIVE, topics.up(OTHER, "evt"), True),
        (RECEIVE, topics.command(MAC), False),
        (RECEIVE, "site/lamp", True),
        (RECEIVE, "site/lamp/on", False),
    ],
)
def test_service_accounts(action: Action, topic: str, allowed: bool) -> None:
    assert may(CONSOLE, action, topic) is allowed


def test_an_account_without_scopes_may_nothing() -> None:
    nobody = ServiceAccount("nobody")
    assert not any(may(nobody, action, "x") for action in Action)


def test_nobody_but_the_platform_hears_its_links() -> None:
    curious = ServiceAccount("curious", ("#",), ("#", "link/#"))
    assert not may(curious, RECEIVE, "link/x")
    assert not may(curious, SUBSCRIBE, "link/#")
    assert all(may(Platform(), action, "link/x") for action in Action)


@pytest.mark.parametrize("topic", ["a\0b", "a" * 1025])
def test_topics_nobody_may_touch(topic: str) -> None:
    assert not any(may(Platform(), action, topic) for action in Action)


LEVEL = st.sampled_from(["a", "b", "", "+", "$x"])
FILTERS = st.lists(LEVEL, min_size=1, max_size=4).flatmap(
    lambda levels: st.sampled_from(["/".join(levels), "/".join([*levels, "#"])])
)
NAMES = st.lists(st.sampled_from(["a", "b", "", "$x"]), min_size=1, max_size=5).map("/".join)


def matches(scope: str, topic: str) -> bool:
    """MQTT's rule for a topic name, written another way: by recursion."""

    def rest(want: list[str], have: list[str]) -> bool:
        if want[:1] == ["#"]:
            return True
        if not want or not have:
            return not want and not have
        return want[0] in ("+", have[0]) and rest(want[1:], have[1:])

    levels, name = scope.split("/"), topic.split("/")
    if topic.startswith("$") and levels[0] in ("+", "#"):
        return False
    # "a/#" matches "a" as well [MQTT 4.7.1.2]
    return rest(levels, name) or (levels[-1] == "#" and rest(levels[:-1], name))


@given(FILTERS, NAMES)
def test_covering_a_topic_is_matching_it(scope: str, name: str) -> None:
    if name:
        assert covers(scope, name) is matches(scope, name)


@given(FILTERS, FILTERS, NAMES)
def test_what_a_scope_covers_it_matches(scope: str, wanted: str, name: str) -> None:
    if wanted and name and covers(scope, wanted) and matches(wanted, name):
        assert matches(scope, name)


@pytest.mark.parametrize("bad", ["", "a#", "#/a", "a/+b", "a/#/b", "++"])
def test_malformed_filters_cover_nothing(bad: str) -> None:
    assert not well_formed(bad)
    assert not covers(bad, "a")
    assert not covers("#", bad)

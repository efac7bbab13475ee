"""Finding subscribers by topic, checked against the plain rule for one filter and one topic."""

from hypothesis import given
from hypothesis import strategies as st

from broker.authority import covers
from broker.open_index import Index

levels = st.sampled_from(["a", "b", "", "$SYS", "v1"])
topics = st.lists(levels, min_size=1, max_size=4).map("/".join)


@st.composite
def filters(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.one_of(levels, st.just("+")), min_size=0, max_size=4))
    if not parts or draw(st.booleans()):
        parts.append("#")
    return "/".join(parts)


subscriptions = st.lists(
    st.tuples(filters().filter(bool), st.integers(0, 3), st.integers(0, 1)), max_size=12
)


@given(subscriptions, topics.filter(bool), st.data())
def test_the_index_agrees_with_the_rule(
    wanted: list[tuple[str, int, int]], topic: str, data: st.DataObject
) -> None:
    index: Index[int] = Index()
    held: dict[tuple[str, int], int] = {}
    for name, who, qos in wanted:
        index.add(name, who, qos)
        held[name, who] = qos
    for name, who in data.draw(
        st.lists(st.sampled_from(list(held)), unique=True) if held else st.just([])
    ):
        assert index.remove(name, who)
        assert not index.remove(name, who)
        del held[name, who]

    expected: dict[int, int] = {}
    for (name, who), qos in held.items():
        if covers(name, topic):
            expected[who] = max(qos, expected.get(who, 0))
    assert index.match(topic) == expected
    first = topic.split("/", maxsplit=1)[0]
    assert index.reaches(first) or not expected


@given(subscriptions)
def test_nothing_is_left_of_those_who_went(wanted: list[tuple[str, int, int]]) -> None:
    index: Index[int] = Index()
    for name, who, qos in wanted:
        index.add(name, who, qos)
    for who in range(4):
        index.drop(who)
        assert index.count(who) == 0
    assert index._root == {}

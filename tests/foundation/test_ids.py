import time

from foundation.clock import utc_now
from foundation.ids import new_id, new_ulid


def test_ids_are_new_and_in_the_order_of_time():
    first = [new_id() for _ in range(1000)]
    assert len(set(first)) == 1000
    assert {(each.version, each.variant) for each in first} == {(7, "specified in RFC 4122")}
    later = first[0].int >> 80
    assert abs(later - time.time() * 1000) < 5000
    assert [each.int >> 80 for each in first] == sorted(each.int >> 80 for each in first)


def test_ulids_are_new_and_in_the_order_of_time():
    made = [new_ulid() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {len(each) for each in made} == {26}
    assert set("".join(made)) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    assert [each[:10] for each in made] == sorted(each[:10] for each in made)


def test_the_clock_is_aware():
    assert utc_now().utcoffset() is not None

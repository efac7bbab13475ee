"""Which new passwords are refused, and why."""

import time
import tracemalloc

import pytest

from business_api.accounts import passwords

WORDS = ("wang.fang", "王芳", "柏树园", "Cypress Property Services")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "too_short"),
        ("x" * 11, "too_short"),
        ("一二三四五六七八九十一", "too_short"),
        ("x1 " * 43, "too_long"),
        ("\ud800" * 12, "not_text"),
        ("123456789012", "common"),
        ("qwerty123456", "common"),
        ("QWERTY123456", "common"),
        ("passwordpassword", "common"),
        ("woaini1314520", "common"),
        ("wang.fang2024", "known_word"),
        ("WangFang-Wang", "known_word"),
        ("柏树园柏树园柏树园柏树园", "known_word"),
        ("linli-linli-linli", "known_word"),
        ("邻里邻里邻里邻里邻里邻里", "known_word"),
        ("cypress-2024!", "known_word"),
    ],
)
def test_refused(password: str, reason: str) -> None:
    with pytest.raises(passwords.WeakPassword) as refused:
        passwords.check_rules(password, *WORDS)
    assert refused.value.facts["reason"] == reason
    assert not password or password not in str(refused.value)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "七个苹果三只老虎一片云海",
        "wang.fang eats seven apples",
        "a b c d e f ",
        "x1 " * 42,
        "ÀÉÎÕÜ plus more",
        "o\u0000a long sentence",
    ],
)
def test_accepted(password: str) -> None:
    passwords.check_rules(password, *WORDS)


def test_short_names_are_no_words() -> None:
    passwords.check_rules("alligators in line", "li", "", " ", ".")


def test_what_is_made_up_meets_the_rules() -> None:
    made = {passwords.made_up() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        passwords.check_rules(password, *WORDS)
        assert not set(password) & set("01ilo")


def test_the_list_takes_no_memory_and_little_time() -> None:
    passwords.check_rules("correct horse battery")
    tracemalloc.start()
    began = time.perf_counter()
    for number in range(300):
        passwords.check_rules(f"correct horse {number}")
    each = (time.perf_counter() - began) / 300
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{each * 1e6:.0f} µs each, {kept} bytes kept")
    assert kept < 200_000

"""One line for every mistake, whatever is in it."""

import pytest

from fastgan.errors import LONGEST, UserError, one_line, shown


@pytest.mark.parametrize("text", ["a\nb", "a\x1b[2Jb", "\u202eb", "\udcff", "\0", "x" * 10**6, "a\r\n\tb"])
def test_a_message_is_one_line_that_any_terminal_can_show(text):
    message = str(UserError(f"{text}: cannot be read; give another"))
    assert message.isprintable() and len(message) <= LONGEST
    assert message.endswith(": cannot be read; give another")


def test_a_plain_message_stays_as_it_is():
    assert one_line("seed is -1; it must be at least 0") == "seed is -1; it must be at least 0"


def test_whatever_is_given_can_be_shown():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(3) == "3" and shown("x") == "'x'"
    assert shown(deep) == shown(10**5000) == "a value too deep or too long to be shown"

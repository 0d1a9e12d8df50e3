"""The check of refusals notices a second line, missing words and another error."""

import re

import pytest
from refusals import refused

from replication.settings import BadInput


@pytest.mark.parametrize(
    "message", ["kappa 9", "kappa must be <= 6", "kappa must be <= 6, got 9\n", "\ngot 9, kappa", ""]
)
def test_what_is_not_one_line_with_all_words_is_noticed(message):
    with pytest.raises(AssertionError), refused("kappa must|kappa may", r"got \d$"):
        raise BadInput(message)
    with pytest.raises(ValueError, match="kappa"), refused("kappa"):
        raise ValueError("kappa must be <= 6, got 9")


def test_words_may_come_in_any_order():
    with refused(r"got \d$", "^kappa", re.escape("(<= 6)")):
        raise BadInput("kappa must be (<= 6), got 9")
    with refused(error=KeyError):
        raise KeyError("x")

"""What every refusal is: one line that says what was given or what to do."""

import pytest

from replication.settings import BadInput


def refused(*patterns: str, error: type[Exception] = BadInput):
    """A context in which `error` is raised with one line that holds all these regular expressions."""
    held = "".join(rf"(?=[^\n]*(?:{pattern}))" for pattern in patterns)
    return pytest.raises(error, match=rf"\A{held}[^\n]+\Z")

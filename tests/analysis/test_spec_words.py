import pytest

from metakd.analysis.summarise import spec_in_words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1.0, 2.5, 16.0], "1, 2.5, 16"),
        (["ce", "meta"], "ce, meta"),
        ([], "none"),
        (None, "default"),
        (True, "yes"),
        (0.2, "0.2"),
        (6, "6"),
        ("digits", "digits"),
        ({"b": 1, "a": [2]}, '{"a": [2], "b": 1}'),
    ],
)
def test_values_become_text(value, text) -> None:
    assert spec_in_words({"field": value}) == {"field": text}

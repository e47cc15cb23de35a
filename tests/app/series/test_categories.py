"""Words that never change within a series are found, numbered, and known again."""

import polars as pl
import pytest

from app.errors import UnfitDataError
from app.series.categories import MOST_CATEGORIES, code_of, encode_categories, find_categories

FRAME = pl.DataFrame(
    {
        "unique_id": ["a", "a", "b", "b", "c"],
        "region": ["south", "south", "north", None, None],
        "size": [3, 3, 10, 10, 3],
        "mood": ["good", "bad", "good", "good", "good"],
    }
)


def test_words_stand_in_the_order_of_their_characters_and_numbers_are_words_too() -> None:
    found = find_categories(FRAME, ["region", "size"])
    assert found == {"region": ("north", "south"), "size": ("10", "3")}
    encoded = encode_categories(FRAME, found)
    assert encoded["region"].to_list() == [2.0, 2.0, 1.0, 0.0, 0.0]
    assert encoded["size"].to_list() == [2.0, 2.0, 1.0, 1.0, 2.0]


def test_a_word_that_was_not_learnt_is_unknown() -> None:
    assert encode_categories(FRAME, {"region": ("north",)})["region"].to_list() == [0.0, 0.0, 1.0, 0.0, 0.0]
    assert (code_of("south", ("north", "south")), code_of("west", ("north", "south"))) == (2, 0)
    assert (code_of(3, ("10", "3")), code_of(3, ("10.0", "3.0")), code_of(True, ("false", "true")), code_of(3.5, ("3.5",))) == (2, 2, 0, 1)


def test_what_changes_within_a_series_is_refused_with_the_series_and_its_words() -> None:
    with pytest.raises(UnfitDataError, match="changes within 1 series: 'a' has 'bad', 'good'; use a column") as caught:
        find_categories(FRAME, ["mood"])
    assert caught.value.pointer == "#/architecture/inputs"


def test_too_many_words_or_none_are_refused() -> None:
    many = [str(number) for number in range(MOST_CATEGORIES + 1)]
    with pytest.raises(UnfitDataError, match=r"10,001 words; .* reads 1 to 10,000"):
        find_categories(pl.DataFrame({"unique_id": many, "word": many}), ["word"])
    with pytest.raises(UnfitDataError, match="has 0 words"):
        find_categories(pl.DataFrame({"unique_id": ["a"], "word": pl.Series([None], dtype=pl.String)}), ["word"])

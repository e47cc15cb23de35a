"""What does a description have to know of the data that it is completed by?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PanelFacts:
    """What a job has to know of its data.

    Attributes:
        freq: frequency, such as `h`, `MS` or `1` for integer steps.
        season: steps of the shortest season; one where there is none.
        columns: names of the numeric covariates.
        words: names of the columns of text.
        target: what the target was called in the upload.
        series: how many there are.
        shortest: steps of the shortest series.
        longest: steps of the longest.
        longer_seasons: steps of those that there are beside the shortest.
    """

    freq: str
    season: int
    columns: tuple[str, ...]
    target: str
    series: int
    shortest: int
    longest: int
    words: tuple[str, ...] = ()
    longer_seasons: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        """Steps of all series, at most."""
        return self.series * self.longest

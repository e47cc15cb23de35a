"""Which numbers does a job read? Its dataset as a panel, with the columns that its description names."""

from __future__ import annotations

from dataclasses import dataclass

from app.forecasting.windows import columns_of, statics_of
from app.series.categories import encode_categories
from app.series.frequency import parse_frequency
from app.series.panel import Panel, panel_of
from app.series.table import open_arrow
from app.series.time_values import TimeKind
from app.spec.forecaster import ForecasterSpec
from app.store.artifacts import ArtifactStore
from worker.asked import with_categories


@dataclass(frozen=True, eq=False)
class Loaded:
    """A dataset for a network.

    Attributes:
        spec: the description, with what only the data says.
        panel: the series.
        time_kind: how their times are written.
    """

    spec: ForecasterSpec
    panel: Panel
    time_kind: TimeKind


def load_panel(artifacts: ArtifactStore, digest: str, freq: str, spec: ForecasterSpec, *, is_trained: bool = False) -> Loaded:
    """The series of a stored dataset.

    Args:
        artifacts: where they lie.
        digest: of the dataset's version.
        freq: its frequency.
        spec: what is to read it.
        is_trained: whether the description has its words already: those of the data that it was trained on.

    Raises:
        UnfitDataError: a static column changes within a series, or has too many words.
    """
    columns = columns_of(spec)
    with artifacts.open_local(digest) as path:
        frame = open_arrow(path, columns=["unique_id", "ds", "y", *columns])
    spec = spec if is_trained else with_categories(spec, frame)
    frame = encode_categories(frame, statics_of(spec))
    is_zoned = getattr(frame["ds"].dtype, "time_zone", None) is not None
    time_kind: TimeKind = "integer" if frame["ds"].dtype.is_integer() else "zoned" if is_zoned else "naive"
    return Loaded(spec, panel_of(frame, parse_frequency(freq), columns), time_kind)

"""What a job makes of a document and its data."""

import pytest

from app.errors import SpecError
from app.spec.compile import compile_spec
from app.spec.defaults import default_spec
from app.spec.facts import PanelFacts
from app.spec.gallery import GALLERY
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from app.spec.resolve import resolve_spec

FACTS = PanelFacts("MS", 12, ("rain",), "passengers", 1, 144, 144)


def test_the_job_wins_over_the_document() -> None:
    spec = resolve_spec(GALLERY["stacked"].spec, FACTS, horizon=6, context=24, training={"epochs": 3})
    assert (spec.horizon, spec.context, spec.training.epochs, spec.training.batch_size) == (6, 24, 3, 32)


def test_a_patience_that_fewer_epochs_never_reach_goes() -> None:
    spec = default_spec(FACTS)
    assert spec.training.patience == 5
    assert resolve_spec(spec, FACTS, horizon=6, training={"epochs": 3}).training.patience == 10
    assert resolve_spec(spec, FACTS, horizon=6, training={"epochs": 6}).training.patience == 5
    with pytest.raises(SpecError, match="a patience of 4 never ends"):
        compile_spec(resolve_spec(spec, FACTS, horizon=6, training={"epochs": 3, "patience": 4}), NetworkLimits())


def test_the_document_stands_where_the_job_says_nothing() -> None:
    assert resolve_spec(GALLERY["stacked"].spec, FACTS, horizon=6).context == 10


def test_context_follows_from_season_and_horizon_and_from_what_there_is() -> None:
    assert resolve_spec(default_spec(FACTS), FACTS, horizon=6).context == 60
    assert resolve_spec(default_spec(FACTS), FACTS, horizon=40).context == 24


@pytest.mark.parametrize(
    ("longest", "context", "lags", "windows"),
    [(72, 24, (12, 24, 36), 25_600), (119, 24, (12, 24, 36, 48), 25_600), (120, 60, (12, 24, 36, 48, 60), 128_000)],
)
def test_the_default_looks_back_at_half_of_ten_years_and_learns_less_of_fewer(
    longest: int, context: int, lags: tuple[int, ...], windows: int
) -> None:
    facts = PanelFacts("MS", 12, (), "y", 700, longest, longest)
    spec = resolve_spec(default_spec(facts), facts, horizon=12)
    learnt = spec.training
    assert (spec.context, tuple(spec.decoder.model_dump()["lags"])) == (context, lags)
    assert learnt.batch_size != "full"
    assert learnt.epochs * learnt.steps_per_epoch * learnt.batch_size == windows
    assert compile_spec(spec, NetworkLimits()).warnings == ()


def test_a_job_names_the_columns_of_an_input() -> None:
    spec = resolve_spec(GALLERY["connected"].spec, FACTS, horizon=6, columns={"left": ["passengers"], "right": ["rain"]})
    assert (spec.inputs["left"].columns, spec.inputs["right"].columns) == (("y",), ("rain",))


@pytest.mark.parametrize(
    ("columns", "pointer", "sentence"),
    [
        ({"right": ["snow"]}, "#/columns/right", "'snow' is not a numeric column of the dataset; columns are: y, rain"),
        ({"middle": ["rain"]}, "#/columns/middle", "'middle' is not an input of the document; inputs are: left, right"),
    ],
)
def test_columns_that_fit_nothing_are_refused(columns: dict[str, list[str]], pointer: str, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        resolve_spec(GALLERY["connected"].spec, FACTS, horizon=6, columns=columns)
    assert [(fault.pointer, fault.detail) for fault in caught.value.faults] == [(pointer, sentence)]


@pytest.mark.parametrize(
    ("context", "horizon", "pointer", "way_out"),
    [(121, 12, "#/context", "a context of at most 120 would do"), (10, 72, "#/horizon", "a horizon of at most 71 would do")],
)
def test_series_that_are_too_short_are_refused_with_what_would_do(context: int, horizon: int, pointer: str, way_out: str) -> None:
    with pytest.raises(SpecError, match="the longest series has 144 steps") as caught:
        resolve_spec(GALLERY["stacked"].spec, FACTS, context=context, horizon=horizon)
    assert caught.value.faults[0].pointer == pointer
    assert way_out in caught.value.detail


@pytest.mark.parametrize(
    ("freq", "season", "longest", "horizon", "context"),
    [
        ("MS", 12, 48, 12, 12),
        ("MS", 12, 47, 12, 23),
        ("MS", 12, 36, 12, 12),
        ("MS", 12, 25, 12, 1),
        ("W", 52, 90, 13, 51),
        ("W", 52, 39, 13, 13),
    ],
)
def test_a_mean_of_epochs_looks_back_a_season_before_it_has_steps_to_stop_by(
    freq: str, season: int, longest: int, horizon: int, context: int
) -> None:
    facts = PanelFacts(freq, season, (), "y", 5, longest, longest)
    spec = resolve_spec(default_spec(facts), facts, horizon=horizon)
    assert (spec.context, spec.least_context) == (context, min(context, season))


def test_a_job_without_a_horizon_is_asked_for_one() -> None:
    with pytest.raises(SpecError, match="horizon is missing"):
        resolve_spec(GALLERY["stacked"].spec, FACTS)


@pytest.mark.parametrize(("freq", "inputs"), [("MS", ["target", "calendar"]), ("15min", ["target", "calendar"]), ("1", ["target"])])
def test_the_default_reads_the_calendar_where_there_is_one(freq: str, inputs: list[str]) -> None:
    spec = default_spec(PanelFacts(freq, 1, (), "y", 1, 99, 99))
    assert list(spec.inputs) == inputs
    compile_spec(spec, NetworkLimits())


@pytest.mark.parametrize(
    ("freq", "longest", "features"),
    [
        ("D", 729, ("day_of_week",)),
        ("D", 730, ("day_of_week", "day_of_year")),
        ("W", 103, ()),
        ("W-SUN", 104, ("week_of_year",)),
        ("MS", 18, ("month_of_year",)),
    ],
)
def test_the_default_reads_the_place_in_a_year_of_data_that_have_two(freq: str, longest: int, features: tuple[str, ...]) -> None:
    inputs = default_spec(PanelFacts(freq, 1, (), "y", 5, longest, longest)).inputs
    assert (inputs["calendar"].features if "calendar" in inputs else ()) == features


@pytest.mark.parametrize(
    ("freq", "season", "baseline", "of_input", "of_decoder", "context"),
    [
        ("h", 24, "season", (24, 168), (), 168),
        ("MS", 12, "none", (), (12, 24, 36, 48, 60), 60),
        ("D", 7, "none", (), (7, 14, 21), 26),
        ("W", 52, "last", (52,), (), 52),
        ("1", 1, "last", (1,), (), 26),
    ],
)
def test_the_default_follows_the_season(
    freq: str, season: int, baseline: str, of_input: tuple[int, ...], of_decoder: tuple[int, ...], context: int
) -> None:
    longer = (168,) if season == 24 else ()
    facts = PanelFacts(freq, season, (), "y", 100, 900, 900, longer_seasons=longer)
    spec = resolve_spec(default_spec(facts), facts, horizon=13)
    assert (spec.scaling.baseline, spec.inputs["target"].lags, spec.context) == (baseline, of_input, context)
    assert tuple(spec.decoder.model_dump()["lags"]) == of_decoder
    assert compile_spec(spec, NetworkLimits()).warnings == ()


@pytest.mark.parametrize(
    ("season", "decoder", "dropout", "epochs"),
    [*((season, "forking", 0.0, 20) for season in (1, 7, 12, 52)), *((season, "direct", 0.2, 24) for season in (24, 96))],
)
def test_the_default_of_long_seasons_learns_at_the_end_of_more_windows_with_dropout(
    season: int, decoder: str, dropout: float, epochs: int
) -> None:
    spec = default_spec(PanelFacts("1", season, (), "y", 100, 900, 900))
    assert (spec.decoder.kind, spec.network.model_dump()["dropout"], spec.training.epochs) == (decoder, dropout, epochs)
    assert spec.decoder.model_dump()["units"] == 64


def test_the_default_is_wider_for_a_large_panel() -> None:
    large = PanelFacts("MS", 12, (), "y", 1_000, 900, 900)
    assert [spec.network.model_dump()["units"] for spec in (default_spec(FACTS), default_spec(large))] == [64, 128]


LEFT_TO_THE_DATA = {
    "inputs": {"target": {"columns": ["y"], "lags": "season"}},
    "scaling": {"baseline": "season"},
    "network": {"kind": "lstm", "units": 4, "dilation": "season"},
    "decoder": {"kind": "forking", "lags": "season"},
}


@pytest.mark.parametrize(
    ("season", "longer", "context", "lags", "dilation"),
    [
        (24, (168,), 48, [24, 168], 24),
        (12, (), 24, [12, 24, 36, 48, 60], 12),
        (7, (), 24, [7, 14, 21], 7),
        (52, (), 60, [52], 52),
        (1, (), 10, [1], 1),
        (24, (900,), 20, [24], 1),
    ],
)
def test_seasons_that_are_left_to_the_data_are_filled_in(
    season: int, longer: tuple[int, ...], context: int, lags: list[int], dilation: int
) -> None:
    facts = PanelFacts("h", season, (), "y", 3, 700, 700, longer_seasons=longer)
    spec = parse_spec(LEFT_TO_THE_DATA)
    assert len(compile_spec(spec, NetworkLimits()).warnings) == 6
    resolved = resolve_spec(spec, facts, horizon=6, context=context)
    assert (list(resolved.inputs["target"].lags), list(resolved.decoder.model_dump()["lags"])) == (lags, lags)
    assert (resolved.scaling.season, resolved.network.model_dump()["dilation"]) == (season, dilation)
    assert compile_spec(resolved, NetworkLimits()).warnings == ()


def test_the_scaling_of_a_job_wins_over_the_document() -> None:
    resolved = resolve_spec(GALLERY["stacked"].spec, FACTS, horizon=6, scaling={"baseline": "season", "over": "series"})
    assert (resolved.scaling.target, resolved.scaling.baseline, resolved.scaling.season) == ("standard", "season", 12)
    assert resolved.scaling.over == "series"

"""The pictures of the benchmarks' page are of its own tables, and stand in it."""

from itertools import groupby

import numpy as np

from bench.plots import IMAGES, PAGE, SERVING, by_set, draw_accuracy, draw_cost, draw_serving, measured, tables


def test_every_set_of_the_page_is_drawn_with_the_service_and_what_stands_beside_it() -> None:
    rows = measured(PAGE.read_text())
    assert [data for data, _ in groupby(row.data for row in rows)] == ["M4 Hourly", "M4 Weekly", "hospital", "bike sharing"]
    for own in by_set(rows).values():
        assert [row.is_ours for row in own].count(True) == 1
        assert len({row.measure for row in own}) == 1
        assert [row.error for row in own] == sorted(row.error for row in own)
    bars = draw_accuracy(rows).axes
    assert [len(axes.patches) for axes in bars] == [len(own) for own in by_set(rows).values()]
    assert [len(axes.lines) for axes in draw_cost(rows).axes] == [len(own) for own in by_set(rows).values()]


def test_every_service_and_every_length_of_a_history_is_drawn() -> None:
    page = PAGE.read_text()
    (_, *services), (_, *sessions) = tables(page, SERVING)[0], tables(page, SERVING)[-1]
    latency, throughput, carried = draw_serving(page).axes
    assert len(latency.patches) == len(throughput.lines) == len(services) == 6
    assert [np.asarray(line.get_xdata()).tolist() for line in throughput.lines] == [[1, 8, 32, 64]] * 6
    assert [len(np.asarray(line.get_xdata())) for line in carried.lines] == [len(sessions)] * 3


def test_the_pictures_are_there_and_the_page_shows_them() -> None:
    for name in ("accuracy.svg", "cost.svg", "serving.svg"):
        assert f"(images/{name})" in PAGE.read_text()
        assert (IMAGES / name).stat().st_size > 10_000

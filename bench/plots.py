"""How does what was measured look beside each other? `make bench-plots`: the tables of docs/benchmarks.md, drawn.

What is drawn is read from the page's own tables, so that no figure is kept twice: after a run of `make bench-peers` or `make bench-serving`
put its rows there and draw again. Three pictures in docs/images: accuracy.svg (the error of each method on each set), cost.svg (the same
against the CPU seconds that it took) and serving.svg (how long a forecast takes, how many there are in a second, and what a session saves).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

ROOT = Path(__file__).parents[1]
PAGE, IMAGES = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "images"
SECTION, SERVING = "## Beside other libraries", "## Forecasts and sessions"
MEASURES = ("OWA", "MASE", "MAE")
"""What is drawn of a set: the first that its rows have."""

OURS, THEIRS = "#0f766e", "#9ca3af"
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
MARKERS = "os^vDPXp*hd"
"""Of the methods, in the order in which the page names them."""


@dataclass(frozen=True)
class Measured:
    """One method on one set.

    Attributes:
        data: the set.
        method: as the table calls it.
        measure: what the error is.
        error: the smaller, the better.
        cpu_seconds: from the upload, or the start of its process, to the last forecast.
    """

    data: str
    method: str
    measure: str
    error: float
    cpu_seconds: float

    @property
    def is_ours(self) -> bool:
        """Whether it is the service."""
        return self.method.startswith("Braidcast")

    @property
    def label(self) -> str:
        """The method without the library's name."""
        return re.sub(r" \((statsforecast|neuralforecast|Keras)\)", r"\n\1", self.method)


def tables(page: str, section: str) -> list[list[list[str]]]:
    """The tables of a section up to its first part: their rows of cells, the header first."""
    text = page.partition(f"{section}\n")[2].partition("\n### ")[0]
    found = [
        [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in table.splitlines()] for table in TABLE.findall(text)
    ]
    return [[header, *rows] for header, _, *rows in found]


def measured(page: str) -> list[Measured]:
    """All rows of the tables beside other libraries, in their order."""
    found: list[Measured] = []
    for header, *rows in tables(page, SECTION):
        data = "bike sharing"  # the table that has no column of sets
        for cells in rows:
            row = dict(zip(header, cells, strict=True))
            data = row.get("data") or data
            method = cells[header.index("")]
            measure = next(name for name in MEASURES if row.get(name))
            found.append(Measured(data, method, measure, float(row[measure]), float(row["CPU s"])))
    return found


def by_set(rows: Sequence[Measured]) -> dict[str, list[Measured]]:
    """Rows by their set, the best first."""
    sets = dict.fromkeys(row.data for row in rows)
    return {data: sorted((row for row in rows if row.data == data), key=lambda row: row.error) for data in sets}


def draw_accuracy(rows: Sequence[Measured]) -> Figure:
    """A bar for each method, a picture for each set."""
    sets = by_set(rows)
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    for axes, (data, own) in zip(figure.subplots(2, 2).flat, sets.items(), strict=True):
        axes.barh([row.label for row in own], [row.error for row in own], color=[OURS if row.is_ours else THEIRS for row in own])
        for place, row in enumerate(own):
            axes.annotate(f" {row.error:.3f}" if row.error < 10.0 else f" {row.error:.1f}", (row.error, place), va="center", fontsize=7)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        _finish(axes, f"{data}: {own[0].measure}")
    return figure


def draw_cost(rows: Sequence[Measured]) -> Figure:
    """A point for each method, by what it took and how far off it was; a picture for each set."""
    sets = by_set(rows)
    markers = dict(zip(dict.fromkeys(row.method for row in rows), MARKERS, strict=False))
    figure = Figure(figsize=(10, 7), layout="constrained")
    for axes, (data, own) in zip(figure.subplots(2, 2).flat, sets.items(), strict=True):
        for row in own:
            color = OURS if row.is_ours else THEIRS
            axes.plot(row.cpu_seconds, row.error, markers[row.method], label=row.method, color=color, markeredgecolor="black")
        axes.set_xscale("log")
        axes.set_xlim(1, 10 * max(row.cpu_seconds for row in own))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(y=0.15)
        axes.set_xlabel("CPU seconds", fontsize=8)
        _finish(axes, f"{data}: {own[0].measure}")
    named = {name: handle for axes in figure.axes for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def draw_serving(page: str) -> Figure:
    """Latency at one client, throughput by clients, and sessions beside reading all again."""
    services, *_, sessions = tables(page, SERVING)
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    latency, throughput, carried = figure.subplots(1, 3)
    names, header = [row[0] for row in services[1:]], services[0]
    ours = [name.startswith("Braidcast") for name in names]
    p50 = [float(row[header.index("p50 at 1 client")].removesuffix(" ms")) for row in services[1:]]
    latency.barh(names, p50, color=[OURS if own else THEIRS for own in ours])
    latency.invert_yaxis()
    _finish(latency, "p50 at one client, ms")
    asked = [(place, int(found[1])) for place, name in enumerate(header) if (found := re.search(r"(?<!p50 )at (\d+)", name))]
    for row, own, marker in zip(services[1:], ours, MARKERS, strict=False):
        seen = [float(row[place].replace(",", "")) for place, _ in asked]
        throughput.plot([clients for _, clients in asked], seen, f"{marker}-", color=OURS if own else THEIRS, label=row[0])
    throughput.set_xscale("log", base=2)
    throughput.set_xticks([clients for _, clients in asked], [f"{clients}" for _, clients in asked])
    throughput.set_xlabel("clients", fontsize=8)
    throughput.set_ylim(0, 1.45 * throughput.get_ylim()[1])  # room for the names
    throughput.legend(fontsize=6, frameon=False, loc="upper left")
    _finish(throughput, "answers a second")
    before = [float(row[0].replace(",", "")) for row in sessions[1:]]
    for place, (name, color) in enumerate(zip(sessions[0][1:], (OURS, OURS, THEIRS), strict=True), 1):
        taken = [float(row[place].removesuffix(" ms")) for row in sessions[1:]]
        carried.plot(before, taken, f"{MARKERS[place]}-", color=color, label=name)
    carried.set_xscale("log")
    carried.set_yscale("log")
    carried.set_xlabel("values before", fontsize=8)
    carried.legend(fontsize=6, frameon=False)
    _finish(carried, "sessions, ms")
    return figure


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10, loc="left")
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """All pictures; the same tables give the same bytes."""
    mpl.rcParams["svg.hashsalt"] = "braidcast"
    page = PAGE.read_text()
    rows = measured(page)
    for name, figure in {"accuracy": draw_accuracy(rows), "cost": draw_cost(rows), "serving": draw_serving(page)}.items():
        path = IMAGES / f"{name}.svg"
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()

"""What does another library forecast? Run by its own Python: `forecast.py PEER FOLDER`. It knows nothing of the service.

FOLDER holds `asked.json` (horizon, context, season, seasons, seed, freq, columns) and `learnt.parquet` (unique_id, ds, y and columns);
beside them `histories.parquet` and `future.parquet`, where other series than the learnt ones are forecast. The forecasts become
`forecast.npy`, a row of horizon steps for each series, in the order of their ids.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Values = npt.NDArray[np.float64]

EPOCHS, WINDOWS, BATCH, UNITS = 10, 10_000, 32, 64
"""Of the Keras network: so many random windows in each epoch."""


def by_statsforecast(peer: str, asked: dict[str, Any], learnt: pd.DataFrame, histories: pd.DataFrame | None) -> Values:
    """A statistical method, fitted to each series alone."""
    from statsforecast import StatsForecast  # noqa: PLC0415 each peer pays for its own library
    from statsforecast.models import MSTL, AutoETS, DynamicOptimizedTheta, SeasonalNaive, Theta  # noqa: PLC0415

    season = asked["season"]
    models: dict[str, Any] = {"naive": SeasonalNaive, "ets": AutoETS, "theta": Theta, "dot": DynamicOptimizedTheta, "mstl": MSTL}
    model = models[peer](season_length=asked["seasons"] if peer == "mstl" else season)
    frame = (learnt if histories is None else histories)[["unique_id", "ds", "y"]]
    found = StatsForecast(models=[model], freq=asked["freq"], n_jobs=1).forecast(df=frame, h=asked["horizon"])
    return in_rows(found, asked["horizon"])


def by_neuralforecast(
    asked: dict[str, Any], learnt: pd.DataFrame, histories: pd.DataFrame | None, future: pd.DataFrame | None, columns: list[str]
) -> Values:
    """Its LSTM as it comes.

    With columns known ahead each window is standardised, as its default scaler fails where a column is nearly constant.
    """
    from neuralforecast import NeuralForecast  # noqa: PLC0415
    from neuralforecast.models import LSTM  # noqa: PLC0415

    more = {"futr_exog_list": columns, "scaler_type": "standard"} if columns else {}
    quiet = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    model = LSTM(h=asked["horizon"], input_size=asked["context"], random_seed=asked["seed"], **more, **quiet)
    forecaster = NeuralForecast(models=[model], freq=asked["freq"])
    kept = ["unique_id", "ds", "y", *columns]
    forecaster.fit(df=learnt[kept])
    if histories is None:
        found = forecaster.predict()
    elif columns and future is not None:
        found = forecaster.predict(df=histories[kept], futr_df=future[["unique_id", "ds", *columns]])
    else:
        found = forecaster.predict(df=histories[kept])
    return in_rows(found, asked["horizon"])


def by_keras(asked: dict[str, Any], learnt: pd.DataFrame, histories: pd.DataFrame | None) -> Values:
    """The textbook's: an LSTM and a dense layer over windows, each in its own mean and standard deviation."""
    import keras  # noqa: PLC0415

    context, horizon = asked["context"], asked["horizon"]
    keras.utils.set_random_seed(asked["seed"])
    series = [part["y"].to_numpy(np.float64) for _, part in learnt.groupby("unique_id", sort=True)]
    starts = [(values, start) for values in series for start in range(len(values) - context - horizon + 1)]
    network = keras.Sequential([keras.Input((context, 1)), keras.layers.LSTM(UNITS), keras.layers.Dense(horizon)])
    network.compile(optimizer="adam", loss="mae")
    draw = np.random.default_rng(asked["seed"])
    for _ in range(EPOCHS):
        chosen = [starts[i] for i in draw.permutation(len(starts))[:WINDOWS]]
        windows = np.stack([values[start : start + context + horizon] for values, start in chosen])
        scaled, _, _ = standardised(windows, context)
        network.fit(scaled[:, :context, None], scaled[:, context:], batch_size=BATCH, verbose=0)
    if histories is not None:
        series = [part["y"].to_numpy(np.float64) for _, part in histories.groupby("unique_id", sort=True)]
    newest, centre, scale = standardised(np.stack([values[-context:] for values in series]), context)
    found: Values = network.predict(newest[:, :, None], verbose=0) * scale + centre
    return found


def standardised(windows: Values, context: int) -> tuple[Values, Values, Values]:
    """Windows in units of their contexts, with the mean and the standard deviation of each."""
    centre, scale = windows[:, :context].mean(axis=1, keepdims=True), windows[:, :context].std(axis=1, keepdims=True)
    scale = np.where(scale > 0, scale, 1.0)
    return (windows - centre) / scale, centre, scale


def in_rows(found: pd.DataFrame, horizon: int) -> Values:
    """A long table of forecasts, a row a series."""
    table = found.reset_index().sort_values(["unique_id", "ds"])
    name = next(name for name in table.columns if name not in {"unique_id", "ds", "index"})
    return np.asarray(table[name].to_numpy(np.float64).reshape(-1, horizon))


def read(path: Path) -> pd.DataFrame | None:
    """A table, where there is one."""
    return pd.read_parquet(path) if path.exists() else None


def main() -> None:
    """The peer that is named."""
    peer, folder = sys.argv[1], Path(sys.argv[2])
    asked = json.loads((folder / "asked.json").read_text())
    learnt = pd.read_parquet(folder / "learnt.parquet")
    histories, future = read(folder / "histories.parquet"), read(folder / "future.parquet")
    if peer == "keras":
        found = by_keras(asked, learnt, histories)
    elif peer in {"lstm", "lstm-columns"}:
        found = by_neuralforecast(asked, learnt, histories, future, asked["columns"] if peer == "lstm-columns" else [])
    else:
        found = by_statsforecast(peer, asked, learnt, histories)
    np.save(folder / "forecast.npy", found.astype(np.float64))


if __name__ == "__main__":
    main()

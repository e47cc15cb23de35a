from app.spec.backtest import BacktestPlan, backtest_plan


def test_what_a_request_leaves_out_has_a_default() -> None:
    assert backtest_plan({}, horizon=12) == BacktestPlan(windows=5, step=12, refit=False, baselines=("theta", "ets"))
    request = {"windows": 3, "step": 2, "refit": True, "baselines": ["ets", "ets"]}
    assert backtest_plan(request, horizon=12) == BacktestPlan(windows=3, step=2, refit=True, baselines=("ets",))
    assert backtest_plan({"baselines": []}, horizon=12).baselines == ()


def test_the_reach_is_from_the_first_cutoff_to_the_last() -> None:
    assert backtest_plan({"windows": 4, "step": 3}, horizon=12).reach == 9
    assert backtest_plan({"windows": 1}, horizon=12).reach == 0

"""What does a backtest come to? Windows of forecasts beside what came, and the scores of both the model and its baselines."""

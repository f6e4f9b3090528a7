"""What a model said about each row, as sent: logits, probabilities or log-probabilities; never guessed."""

from __future__ import annotations

from lossmeter.engine.predictions.base import AllClasses, AtTargets, Predictions
from lossmeter.engine.predictions.log_probabilities import LogProbabilities
from lossmeter.engine.predictions.logits import Logits
from lossmeter.engine.predictions.probabilities import Probabilities

__all__ = ["AllClasses", "AtTargets", "LogProbabilities", "Logits", "Predictions", "Probabilities"]

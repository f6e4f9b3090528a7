"""Probabilities that keep their word: temperature and vector scaling, fitted to the truth of a batch."""

from __future__ import annotations

from lossmeter.engine.calibration.calibrate import Calibration, calibrate

__all__ = ["Calibration", "calibrate"]

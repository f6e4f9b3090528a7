"""The use cases of monitoring between JSON documents and the engine: metrics, states, and what is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lossmeter import engine
from lossmeter.api.answers import arguments, members, of_slices, with_state
from lossmeter.api.schemas.state import encoded

if TYPE_CHECKING:
    from lossmeter.api.schemas.calibrate import CalibrateRequest
    from lossmeter.api.schemas.compare import CompareRequest
    from lossmeter.api.schemas.expect import ExpectRequest
    from lossmeter.api.schemas.merge import MergeRequest
    from lossmeter.api.schemas.metrics import MetricsRequest
    from lossmeter.api.schemas.report import ReportRequest
    from lossmeter.observability.meter import Meter
    from lossmeter.settings import Settings


def metrics(request: MetricsRequest, meter: Meter) -> dict[str, Any]:
    """The metrics of a batch, of its slices, and its state."""
    measured = meter.measure(arguments(request), request.labels)
    document = members(measured, "count", "ignored", "weight", "class_weights", "metrics", "undefined")
    if measured.slices is not None:
        document["slices"] = of_slices(measured.slices)
    return with_state(document, measured.state, request)


def catalogue() -> dict[str, Any]:
    """Every metric."""
    names = ("name", "title", "summary", "formula", "reference", "additive")
    return {
        "metrics": [{name: getattr(metric, name) for name in names} for metric in engine.METRICS.values()]
    }


def merge(request: MergeRequest) -> dict[str, Any]:
    """The state of all the rows behind these."""
    return {"state": encoded(engine.merge(request.states), request.state_encoding)}


def report(request: ReportRequest) -> dict[str, Any]:
    """What a state says."""
    return members(engine.report(**request.arguments()))


def compare(request: CompareRequest) -> dict[str, Any]:
    """Whether the current window, or model, is worse than the reference."""
    sent = request.arguments()
    return members(engine.compare_paired(**sent) if "reference_losses" in sent else engine.compare(**sent))


def calibrate(request: CalibrateRequest, settings: Settings) -> dict[str, Any]:
    """The temperature, or the scales and biases, that these rows ask for."""
    return members(engine.calibrate(**request.arguments(), threads=settings.threads))


def expect(request: ExpectRequest, settings: Settings) -> dict[str, Any]:
    """What losses the model itself expects."""
    expected = engine.expect(**request.arguments(), threads=settings.threads)
    return {"losses": {name: members(each) for name, each in expected.items()}}

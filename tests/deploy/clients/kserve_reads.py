"""Whether KServe's own models of an InferenceService have every field of these: ``kserve_reads.py FILE…``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import kserve
import yaml


def check(value: object, kind: str, path: str) -> None:
    """Ends with a message if a field is none of ``kind``, a type as KServe calls it; Kubernetes' own pass."""
    several = re.fullmatch(r"list\[(.*)\]", kind)
    if several and isinstance(value, list):
        for place, item in enumerate(value):
            check(item, several[1], f"{path}/{place}")
    model = getattr(kserve, kind, None)
    if model is None or not isinstance(value, dict):
        return
    names = {name: attribute for attribute, name in model.attribute_map.items()}
    for name, item in value.items():
        if name not in names:
            raise SystemExit(f"{path}/{name} is no field of {kind}")
        check(item, model.openapi_types[names[name]], f"{path}/{name}")


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]):
        check(yaml.safe_load(file.read_text()), "V1beta1InferenceService", file.name)

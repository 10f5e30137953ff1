"""The same figures on a processor without vector instructions, and with another kernel for matrix products."""

import json
import os
import subprocess
import sys

import pytest

OLD_PROCESSOR = {
    "OPENBLAS_CORETYPE": "Prescott",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR AVX2 FMA3 AVX512F AVX512_SKX",
}
PROGRAM = """
import json, random
import numpy
from bench.risk import proposal
from services.risk.assessment import RiskModel
from services.risk.shared_model import SharedModel
proposals = [proposal(random.Random(number)) for number in range(64)]
results = {version: [each.model_dump_json() for each in RiskModel(SharedModel.load(version)).assess(proposals)]
           for version in ("1", "2")}
features = numpy._core._multiarray_umath.__cpu_features__
print(json.dumps([results, sorted(name for name in features if features[name])]))
"""


def run(environment: dict[str, str]) -> tuple[dict[str, list[str]], set[str]]:
    """Every assessment as JSON, and what numpy makes use of."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        env=os.environ | environment,
        capture_output=True,
        check=True,
        text=True,
    )
    results, features = json.loads(ran.stdout)
    return results, set(features)


def test_figures_are_the_same_on_another_processor() -> None:
    here, features = run({})
    there, fewer = run(OLD_PROCESSOR)
    if fewer == features:
        pytest.skip("numpy has no instructions here that it could do without")
    assert there == here

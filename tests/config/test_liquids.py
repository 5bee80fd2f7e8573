from __future__ import annotations

import pytest

from config.chemicals import is_cas, load_chemicals
from config.liquids import load_liquids

LIQUIDS = load_liquids()

# CAS -> saturated density at 0 (or 10: benzene, cyclohexane) and 40 degC, as the sources say.
SATURATED = {
    "7664-41-7": (638.64, 579.61), "7782-50-5": (1467.79, 1344.85), "7446-09-5": (1435.21, 1323.40),
    "7783-06-4": (833.08, 735.55), "75-21-8": (897.80, 840.86), "74-98-6": (528.59, 467.46),
    "106-97-8": (600.73, 554.92), "115-07-1": (546.13, 478.59), "115-10-6": (699.98, 636.25),
    "75-01-4": (945.34, 870.26), "106-99-0": (645.49, 595.38), "67-56-1": (809.65, 772.10),
    "64-17-5": (806.34, 772.01), "67-64-1": (812.10, 767.66), "71-43-2": (889.37, 857.39),
    "108-88-3": (885.35, 848.12), "110-54-3": (677.10, 640.95), "110-82-7": (787.96, 759.61),
    "60-29-7": (735.76, 690.10), "107-13-1": (829.04, 783.82), "75-15-0": (1293.69, 1232.16),
    "100-42-5": (922.44, 886.93), "75-56-9": (854.72, 804.56), "141-78-6": (922.47, 875.65),
    "74-90-8": (716.29, 656.49), "7664-39-3": (1003.90, 902.96), "107-02-8": (860.53, 817.98),
    "7726-95-6": (3189.23, 3052.09),
}  # fmt: skip


@pytest.mark.parametrize("cas", SATURATED)
def test_one_expansion_holds_from_0_to_40_degrees_within_a_percent(cas: str) -> None:
    liquid = LIQUIDS[cas]
    cold_c = 10 if cas in {"71-43-2", "110-82-7"} else 0
    for at_c, density in zip((cold_c, 40), SATURATED[cas], strict=True):
        said = liquid.density_kg_m3 / (1 + liquid.expansion_per_k * (at_c - liquid.at_c))
        assert said == pytest.approx(density, rel=0.01)


def test_every_liquid_is_a_substance_of_the_catalogue_with_a_source() -> None:
    assert all(is_cas(cas) and cas in load_chemicals() for cas in LIQUIDS)
    assert all(one.source.origin and one.source.confidence for one in LIQUIDS.values())
    assert set(LIQUIDS) - set(SATURATED) == {"68476-85-7", "86290-81-5"}, "mixtures: no one density"

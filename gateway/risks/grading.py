"""How bad a risk is: LEC and LS. Pure; scores are exact, so that one on an edge falls where the table says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from config.plant.model import Text
from config.risks import Band, Colour, Method, RiskEdition, Scale
from gateway.errors import BadRequestError

__all__ = ["Grading", "band_of", "grade"]


@dataclass(frozen=True, slots=True)
class Grading:
    """A grade and how it was come by."""

    method: Method
    factors: Mapping[str, float]
    score: float
    colour: Colour
    name: Text
    """What the band says, such as ``act at once``."""


def grade(method: Method, factors: Mapping[str, float], edition: RiskEdition) -> Grading:
    """Grade a risk.

    ``D = L·E·C`` (Graham and Kinney) or ``R = L·S``.

    Args:
        method: Which of the two.
        factors: One step of each factor of the method, by name.
        edition: Whose steps and bands hold.

    Raises:
        BadRequestError: A factor is missing, is none of the method, or has a value that is no step; says which are.
    """
    scale = edition.scales[method]
    exact = [_step(name, factors.get(name), scale) for name in scale.factors]
    if unknown := sorted(set(factors) - set(scale.factors)):
        raise BadRequestError(f"{unknown[0]}: {method} has {', '.join(scale.factors)}（无此因子）")
    score = prod(exact, start=Fraction(1))
    band = band_of(score, scale)
    return Grading(method, dict(factors), float(score), band.colour, band.name)


def band_of(score: Fraction, scale: Scale) -> Band:
    """Return the worst band that a score reaches; what reaches none is in the last."""
    return next((band for band in scale.bands if band.holds(score)), scale.bands[-1])


def _step(name: str, value: float | None, scale: Scale) -> Fraction:
    allowed = [step.value for step in scale.factors[name]]
    exact = next((one for one in allowed if float(one) == value), None)  # NaN is no step either
    if exact is None:
        steps = ", ".join(f"{float(one):g}" for one in allowed)
        raise BadRequestError(f"{name}: found {value}, allowed: {steps}（取值须为表中所列）")
    return exact

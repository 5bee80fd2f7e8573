"""How big the danger of a hazard unit is by GB 18218: the legal grade that was filed, the operational one from levels."""

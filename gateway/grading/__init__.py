"""How dangerous a hazard unit is by GB 18218: the legal grade as filed, and the operational one from its levels."""

"""Hidden dangers (隐患): found, graded, planned, rectified, verified, closed; with clocks for all that is due."""

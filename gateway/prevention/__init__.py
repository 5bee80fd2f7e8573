"""Prevention: special work, daily commitment, neighbours, findings, restricted substances, reports of accidents."""

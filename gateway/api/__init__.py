"""The HTTP face: `/api/v1`, the live stream and the live page."""

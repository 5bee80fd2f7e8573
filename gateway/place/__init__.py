"""Everything that is known of a place, put together: what the API asks about it."""

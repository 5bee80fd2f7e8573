"""Records: what must never be lost, in one database and one transaction per batch."""

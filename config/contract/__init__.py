"""The wire contract: topics, frames, receipts, statuses, qualities."""

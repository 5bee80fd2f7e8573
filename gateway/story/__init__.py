"""The story behind an alarm: what is there, who answers for it, what else is wrong, who is near, what to do."""

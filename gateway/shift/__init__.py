"""What one shift hands to the next, and what is handed to people without an account."""

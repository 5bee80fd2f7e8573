"""Figures that anyone can measure again: load generators and the conditions they ran under."""

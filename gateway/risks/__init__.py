"""Risks and what is done about them (双清单): graded, controlled, checked, raised by what happens now."""

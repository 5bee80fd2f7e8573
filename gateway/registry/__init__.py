"""What there is: enterprises, places, vessels, substances, people; every version of it, and who wrote it."""

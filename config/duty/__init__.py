"""What a site has agreed about its duty: clocks of handling, people, rosters, ladders, channels."""

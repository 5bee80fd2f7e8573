"""Parts of the story: files of one shape, the shape being `gateway.story.telling.Tell`."""

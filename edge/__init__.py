"""Talks to hardware, speaks to the broker; keeps what it has read until a gateway says that it is durable."""

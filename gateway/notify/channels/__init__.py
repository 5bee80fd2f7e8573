"""Channels: files of one shape, the shape being `gateway.notify.port.Channel`."""

"""The search for architectures that are accurate and fast on the device at hand."""

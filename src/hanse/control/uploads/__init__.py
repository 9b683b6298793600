"""Files on their way into the node, chunk by chunk."""

"""The command `hanse`: nodes, pairing, data, jobs, models, and a demonstration of it all."""

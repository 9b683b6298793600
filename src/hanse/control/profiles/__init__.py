"""Figures of datasets: found on this node alone, and told to partners as far as the owner chooses, with noise."""

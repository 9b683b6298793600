"""The link check: what stands between this node and a partner's."""

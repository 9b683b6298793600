"""The control plane: what a node knows and decides. No algorithm, no numerics, no sockets."""

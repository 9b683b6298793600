"""The party port: sessions between nodes, and the Unix socket of this node's own attempts. It knows no resource."""

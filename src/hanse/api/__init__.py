"""Faces of the control plane by audience: `console` over HTTP for this organisation, `peer` for other nodes."""

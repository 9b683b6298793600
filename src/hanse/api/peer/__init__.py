"""What other organisations' nodes may ask of this one: typed messages on the session of two members."""

"""Who asks, and what they may do: every service is told its caller."""

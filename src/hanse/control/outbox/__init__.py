"""Letters to partners that are delivered in order, however long a partner is away."""

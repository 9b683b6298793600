"""Templates: pipelines with blanks, those that come with the product and those that people keep."""

"""Populations to try Hanse on: made up, or public, and cut into what each organisation holds."""

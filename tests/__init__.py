"""Tests that are not beside the code. A package, so that none of that name which a library brings is taken for it."""

"""Private set intersection, in parts that fit together: opening, spool, an oblivious function, delivery, result."""

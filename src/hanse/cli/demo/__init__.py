"""`hanse demo`: organisations as real nodes on one machine, from raw files to scored customers, told step by step."""

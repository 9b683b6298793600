"""The words every part of Hanse shares: ids, roles, schemas, specs, events, errors. No I/O."""

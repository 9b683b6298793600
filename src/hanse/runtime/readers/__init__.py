"""Reading tables out of databases: one module for each family of drivers, one way into the snapshot."""

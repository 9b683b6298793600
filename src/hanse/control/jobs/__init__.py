"""Jobs: proposed to every party, stepped by whoever holds the lease, run as attempts, ended alike everywhere."""

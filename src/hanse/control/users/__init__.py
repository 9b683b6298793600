"""The people of this organisation: accounts, groups, what proves who they are."""

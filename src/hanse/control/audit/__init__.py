"""Who did what and when: lines that are only ever added."""

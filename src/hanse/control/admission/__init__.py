"""Who is let in: the caller that a token, a session or an access key stands for."""

"""Who is logged in: sessions that the node keeps and can end."""

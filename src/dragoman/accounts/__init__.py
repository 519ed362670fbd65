"""Who may call, and what they have used."""

"""Gold questions → the same `ask()` that people use → figures with n and intervals."""

"""Live decisions: compiled steps, and the stopper that takes them one check after another."""

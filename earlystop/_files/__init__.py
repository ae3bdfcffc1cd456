"""Files written whole or not at all, deferred closing of old ones, and locks on folders."""

"""Who has been given what: repository-scoped tokens, scope maps, role assignments, signing keys."""

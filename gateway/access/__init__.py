"""Who may do what: roles, accounts, sessions, tokens of machines."""

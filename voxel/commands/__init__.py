"""What the user types: one module a command. Only here do data and models meet."""

"""Who may call: decided on a request's head, before any of its body is read."""

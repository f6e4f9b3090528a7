"""What an operator sees: metrics right across worker processes, one log line per request, spans. No framework here."""

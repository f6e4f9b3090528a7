"""What inference servers log, paired with the truth when it comes, kept until then, and scored. No framework here."""

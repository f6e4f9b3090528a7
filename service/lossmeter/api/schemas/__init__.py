"""The JSON of /v1 as Pydantic models: one file per endpoint, and what they share."""

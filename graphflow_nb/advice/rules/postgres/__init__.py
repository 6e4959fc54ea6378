"""Rules on a PostgreSQL table and its server."""

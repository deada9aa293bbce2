"""The PostgreSQL servers that the tests run against."""

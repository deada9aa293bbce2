"""The SQL contract reached from Python: store, migrations, embedded server."""

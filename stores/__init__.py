"""Where memory lives: schema, migrations, SQLite, vector and lexical search. Loaded through the registry."""

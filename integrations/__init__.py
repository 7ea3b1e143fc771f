"""agentmem inside other frameworks. Loaded through the registry, or imported by name by a user of that framework."""

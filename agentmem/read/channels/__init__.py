"""Ways to propose evidence, one file each; `agentmem.registry` knows them by name."""

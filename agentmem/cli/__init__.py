"""The command line: parses and prints. What it does is done by `agentmem.Memory`."""

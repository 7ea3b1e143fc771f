"""The read path: analyse the question, let channels propose, fuse, pack under the budget."""

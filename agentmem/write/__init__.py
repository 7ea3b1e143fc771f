"""The write path: messages are checked, cut into passages and prepared before any lock is taken."""

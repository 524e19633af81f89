"""Pure functions: answers and truths -> numbers with intervals."""

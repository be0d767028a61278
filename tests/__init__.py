"""The suite. One test file for each source file, in the same place; see DEVELOP.md."""

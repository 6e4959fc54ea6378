"""The questions and checks of the lessons, a module for each notebook."""

"""The databases beside the first one: made, dropped and renamed, and a flow for each in a process of its own."""

"""Articles → a searchable store. Imports nothing else of Dateline."""

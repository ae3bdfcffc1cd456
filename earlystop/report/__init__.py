"""A report on replays and a sweep, as one HTML file."""

"""Times of solves, reads and networks: `make bench` prints them and writes runs/bench.json. Never a test."""

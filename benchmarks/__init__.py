"""Times of solves, reads and networks: `make bench` prints tables and writes runs/bench.json. Never part of the tests."""

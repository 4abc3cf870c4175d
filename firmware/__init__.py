"""What runs on the board: start-up, tasks, sockets, storage, console. MicroPython only."""

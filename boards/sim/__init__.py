"""The simulated board: a charging station and an electric vehicle in integers."""

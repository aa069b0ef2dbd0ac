"""What stands between the network and the app: connections, their limits, their end."""

"""What stands between the network and the application: uvicorn, and the deadlines that it does not have."""

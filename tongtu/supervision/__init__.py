"""The platform's processes on this machine: started, watched, started again when they die, stopped in order."""

"""What starts a function other than HTTP: timers and queues; and the worker that calls it."""

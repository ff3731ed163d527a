"""A request becomes a session, a session becomes sealed batches; schedule, pause, cancel, redrive."""

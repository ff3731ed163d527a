"""The words: session, batch, recipient, message, outcome, states, failure classes, errors."""

"""Short messages over HTTP, in the shape of Twilio's API."""

"""`hazgate demo`: broker, gateway, edges and a scenario in one go, watched through the API like by any user."""

"""What every process agrees on before it starts: wire contract, plant, units, settings, chemicals."""

"""The plant description: what stands where, measured by what, limited how."""

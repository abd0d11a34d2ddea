"""What routing costs on this machine: the routed generator against the plain one, a loop over samples, and the bound."""

"""Power spectra for rpganify: `rpganify analyze RUN spectrum --data digits`."""

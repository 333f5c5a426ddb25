"""Ways of computing a crossbar, all with one interface: conductances, then voltages, give currents."""

"""What goes wrong between the gateway and those it talks to, through real sockets; docs/faults.md lists it."""

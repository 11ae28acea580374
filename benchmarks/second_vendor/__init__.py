"""A second stand-in for the MaintainX API and its surroundings, with sixty planted faults."""

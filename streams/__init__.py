"""Agents: deterministic functions of one ordered log, and the one loop that runs them.

Reads one log per agent (`Agent.log`). Writes the agent's answers, its snapshots and its dead
letters. Owns the order in which inputs are applied, what is applied again after a crash, and what
is dropped as a repeat. Refuses: a clock, a random number, I/O or a second input inside an agent;
answers to an input that another version of the agent has answered already.
"""

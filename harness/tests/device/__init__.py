"""Tests of real devices: a machine of this host that is reached as one."""

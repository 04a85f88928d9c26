"""Clients of what a gokrazy device serves: status, services, logs, update, breakglass.

They know nothing of QEMU or images and would drive a real device as well.
"""

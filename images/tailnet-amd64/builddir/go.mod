module gokrazy/build/tailnet-amd64

go 1.24.4

require (
	github.com/gokrazy/breakglass v0.0.0-20251229072214-9dbc0478d486
	github.com/gokrazy/gokrazy v0.0.0-20260418085648-c38c3134b8a7
	github.com/gokrazy/internal v0.0.0-20251208203110-3c1aa9087c82
	github.com/gokrazy/kernel.amd64 v0.0.0-20260705070735-de680abf072b
	github.com/gokrazy/serial-busybox v0.0.0-20250119153030-ac58ba7574e7
	gokrazy.test/programs v0.0.0
	tailscale.com v1.86.0
)

replace gokrazy.test/programs => ../../programs
